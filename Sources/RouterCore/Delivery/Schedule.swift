extension Delivery {
    /// Starts what there is room for. While ClickHouse is away nothing is asked of it but the probe.
    mutating func schedule() {
        if health.isDue(nowMilliseconds: now) { probeServerUnlessProbing() }
        probeOpenCircuits()
        guard !health.isAway else { return }
        startQuestions()
        startInserts()
    }

    private mutating func startQuestions() {
        while questionTickets.count < limits.maxQuestionsInFlight, !waitingToAsk.isEmpty {
            let key = waitingToAsk.removeFirst()
            guard let batch = batches[key.batch], let step = batch.blocks[key.client]?.step else { continue }
            guard step == .askQuiet || step == .readBack else { continue }
            let ticket = ticket()
            questionTickets[ticket] = key
            batches[key.batch]!.blocks[key.client]!.asked(ticket: ticket)
            actions.append(
                step == .askQuiet
                    ? .askQuiet(ticket: ticket, batch: key.batch, client: key.client, scope: batch.scope)
                    : .readBack(ticket: ticket, batch: key.batch, client: key.client, scope: batch.scope))
        }
    }

    private mutating func startInserts() {
        while insertTickets.count < limits.maxInsertsInFlight {
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
        insertTickets[fresh] = key
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

    mutating func passTime() {
        if !health.isAway {
            let waiting = waitingForTime
            waitingForTime = []
            for key in waiting {
                guard batches[key.batch]?.blocks[key.client] != nil else { continue }
                batches[key.batch]!.blocks[key.client]!.timePassed(nowMilliseconds: now)
                enqueue(key)
            }
        }
        for (partition, chain) in partitions {
            if case .draining(let deadline) = chain.phase, deadline <= now { abandon(partition) }
        }
    }

    // MARK: - The server's health

    mutating func probeServerUnlessProbing() {
        guard health.probeTicket == nil else { return }
        let ticket = ticket()
        health.probing(ticket: ticket, nowMilliseconds: now)
        actions.append(.probeServer(ticket: ticket))
    }

    mutating func serverProbed(_ ticket: UInt64, _ isWell: Bool) {
        guard health.probeTicket == ticket else { return }
        let changed = health.probed(isWell: isWell, nowMilliseconds: now, limits: limits)
        if changed { actions.append(isWell ? .serverBack : .serverAway(message: "the neutral probe failed")) }
        if isWell && changed {
            for (id, batch) in batches {
                for client in batch.blocks.keys {
                    batches[id]!.blocks[client]!.serverIsBack(nowMilliseconds: now)
                }
            }
            let confirming = waitingForServer
            waitingForServer = []
            for key in confirming { enqueue(key) }
        } else if isWell {
            blameDestinations()
        }
    }

    /// The server is well and the destination still refuses: the client's circuit opens.
    private mutating func blameDestinations() {
        let confirming = waitingForServer
        waitingForServer = []
        for key in confirming {
            guard let block = batches[key.batch]?.blocks[key.client] else { continue }
            guard block.step == .confirm else {
                continue
            }
            // A probe that was already under way when the refusal came proves nothing about the time after it.
            guard health.wellSinceMilliseconds >= block.lastFailureMilliseconds else {
                waitingForServer.append(key)
                continue
            }
            openCircuit(key.client, message: block.lastMessage)
        }
        if !waitingForServer.isEmpty { probeServerUnlessProbing() }
    }

    // MARK: - Circuits

    private mutating func openCircuit(_ client: ClientID, message: String) {
        let circuit = DestinationCircuit(
            state: .open(probeAtMilliseconds: now + limits.probeMilliseconds), message: message)
        if circuits[client]?.refusal == nil { actions.append(.circuitOpened(client: client, message: message)) }
        circuits[client] = circuit
        guard let refusal = circuit.refusal else { return }
        for (id, batch) in batches {
            guard let before = batch.blocks[client]?.step else { continue }
            batches[id]!.blocks[client]!.circuitOpened(refusal)
            if batches[id]!.blocks[client]!.step != before { enqueue(BlockKey(batch: id, client: client)) }
        }
    }

    private mutating func probeOpenCircuits() {
        guard !health.isAway else { return }
        for (client, circuit) in circuits {
            guard case .open(let probeAt) = circuit.state, probeAt <= now else { continue }
            circuits[client]!.state = .probing
            actions.append(.probeDestination(ticket: ticket(), client: client))
        }
    }

    mutating func destinationProbed(_ client: ClientID, _ isWell: Bool) {
        guard circuits[client]?.state == .probing else { return }
        circuits[client]!.state = isWell ? .halfOpen : .open(probeAtMilliseconds: now + limits.probeMilliseconds)
    }

    mutating func closeCircuit(_ client: ClientID) {
        guard circuits[client]?.state == .halfOpen else { return }
        circuits[client] = nil
        actions.append(.circuitClosed(client: client))
    }
}
