extension Delivery {
    /// Starts what there is room for. While ClickHouse is away nothing is asked of it but the probe.
    mutating func schedule() {
        probeWhatIsDue()
        guard !health.isAway else { return }
        startBatchQuestions()
        startQuestions()
        startInserts()
    }

    private var questionsInFlight: Int { questionTickets.count + quietTickets.count }

    private mutating func startBatchQuestions() {
        while questionsInFlight < limits.maxQuestionsInFlight, !waitingForQuiet.isEmpty {
            let id = waitingForQuiet.removeFirst()
            guard let batch = batches[id], batch.stage == .quieting, batch.quiet.step == .ask else { continue }
            let ticket = ticket()
            quietTickets[ticket] = id
            batches[id]!.ticket = ticket
            batches[id]!.quiet.asked()
            actions.append(.askBatchQuiet(ticket: ticket, batch: id, scope: batch.scope))
        }
    }

    private mutating func startQuestions() {
        while questionsInFlight < limits.maxQuestionsInFlight, !waitingToAsk.isEmpty {
            let key = waitingToAsk.removeFirst()
            guard let batch = batches[key.batch], let step = batch.blocks[key.client]?.step else { continue }
            guard step == .askQuiet || step == .readBack else { continue }
            let ticket = ticket()
            questionTickets[ticket] = key
            batches[key.batch]!.blocks[key.client]!.asked(ticket: ticket)
            actions.append(
                step == .askQuiet
                    ? .askQuiet(ticket: ticket, batch: key.batch, client: key.client)
                    : .readBack(ticket: ticket, batch: key.batch, client: key.client, scope: batch.scope))
        }
    }

    private mutating func startInserts() {
        while insertTickets.count < health.maxInsertsInFlight(limits) {
            let busy = insertsOfClient
            let most = limits.maxInsertsInFlightPerClient
            guard let key = waitingForSlot.next(where: { busy[$0, default: 0] < most }) else { return }
            guard batches[key.batch]?.blocks[key.client]?.step == .insert else { continue }
            guard hasLease else {
                waitingForLease.append(key)
                renewLease(of: key)
                continue
            }
            insert(key)
        }
    }

    private mutating func insert(_ key: BlockKey) {
        let fresh = ticket()
        batches[key.batch]!.blocks[key.client]!.nameTopPiece(fresh)
        guard let piece = batches[key.batch]!.blocks[key.client]!.pieces.last else { return }
        batches[key.batch]!.blocks[key.client]!.inserting(ticket: fresh, nowMilliseconds: now)
        insertTickets[fresh] = (key, now)
        insertsOfClient[key.client, default: 0] += 1
        actions.append(
            .insert(
                ticket: fresh, batch: key.batch, client: key.client, rows: piece.rows,
                token: text(of: piece.token, batch: key.batch),
                startBeforeMilliseconds: leaseSinceMilliseconds + limits.leaseMilliseconds))
    }

    // MARK: - The lease

    /// librdkafka does not tell when the last heartbeat was answered, so the last commit that was stands for it.
    private var hasLease: Bool {
        leaseSinceMilliseconds != .min && now - leaseSinceMilliseconds < limits.leaseMilliseconds
    }

    private mutating func renewLease(of key: BlockKey) {
        guard let partition = batches[key.batch]?.partition, partitions[partition] != nil else { return }
        if partitions[partition]!.lane.isIdle { partitions[partition]!.lane.renew() }
    }

    // MARK: - Time

    /// Batches whose earlier life is asked after again now.
    private mutating func letQuietTimePass() {
        let waiting = quietWaitsForTime
        quietWaitsForTime = []
        for id in waiting where batches[id]?.stage == .quieting {
            batches[id]!.quiet.timePassed(nowMilliseconds: now)
            if batches[id]!.quiet.step == .ask { waitingForQuiet.append(id) } else { quietWaitsForTime.append(id) }
        }
    }

    mutating func passTime() {
        if !health.isAway {
            let waiting = waitingForTime
            waitingForTime = []
            for key in waiting {
                guard batches[key.batch]?.blocks[key.client] != nil else { continue }
                batches[key.batch]!.blocks[key.client]!.timePassed(nowMilliseconds: now)
                enqueue(key)
            }
            letQuietTimePass()
        }
        for (partition, chain) in partitions {
            if case .draining(let deadline) = chain.phase, deadline <= now { abandon(partition) }
        }
    }
}
