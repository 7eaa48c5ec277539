extension Delivery {
    /// The batch's intent is durable. Where rows of it may be there already, or on their way, that is asked first.
    mutating func settleOrQuieten(_ id: UUID128) {
        guard let batch = batches[id] else { return }
        guard batch.scope != .batch else { return settle(id, batch.content) }
        batches[id]!.stage = .quieting
        waitingForQuiet.append(id)
    }

    mutating func batchQuietAnswered(_ ticket: UInt64, _ answer: QuietAnswer) {
        guard let id = quietTickets.removeValue(forKey: ticket) else { return }
        if case .unknown = answer { probeServerUnlessProbing() }
        guard let batch = batches[id], batch.stage == .quieting, batch.ticket == ticket else { return }
        batches[id]!.quiet.answered(answer, nowMilliseconds: now, limits: limits)
        guard batches[id]!.quiet.step == .quiet else {
            quietWaitsForTime.append(id)
            return
        }
        batches[id]!.stage = .reading
        moved(id)
        if batch.isRedo {
            let next = self.ticket()
            batches[id]!.ticket = next
            actions.append(
                .redo(ticket: next, partition: batch.partition, batch: id, lo: batch.lo, hi: batch.hi))
        } else {
            settle(id, batch.content)
        }
    }

    /// The batch's intent is durable and its content known: dead letters first, then its blocks.
    ///
    /// The order matters: had a record been a dead letter at first and valid at a redo, the table might drop its row as a
    /// repeat of the token, and were its dead letter not sent before any insert, it would be in neither.
    mutating func settle(_ id: UUID128, _ content: BatchContent?) {
        guard let batch = batches[id], let content, batch.stage == .sealing || batch.stage == .reading else { return }
        batches[id]!.content = content
        batches[id]!.stage = .deadLetters
        moved(id)
        if content.deadLetterCount > 0 {
            let ticket = ticket()
            batches[id]!.ticket = ticket
            actions.append(.settleDeadLetters(ticket: ticket, batch: id))
        } else {
            insertBlocks(of: id)
        }
    }

    mutating func insertBlocks(of id: UUID128) {
        guard let batch = batches[id], batch.stage == .deadLetters, let content = batch.content else { return }
        batches[id]!.stage = .blocks
        batches[id]!.unsettledBlocks = content.blocks.count
        for (client, rowCount) in content.blocks {
            let refusal = refusal(ofNew: BlockKey(batch: id, client: client))
            batches[id]!.blocks[client] = BlockDelivery(
                rowCount: rowCount, isRedo: batch.isRedo, mayBeHeld: batch.scope != .batch,
                openCircuit: refusal, limits: limits)
        }
        if content.blocks.isEmpty { complete(id) }
        for (client, _) in content.blocks { enqueue(BlockKey(batch: id, client: client)) }
    }

    private mutating func moved(_ batch: UUID128) {
        guard let partition = batches[batch]?.partition else { return }
        partitions[partition]?.movements += 1
    }

    // MARK: - Answers

    mutating func insertAnswered(_ ticket: UInt64, _ answer: InsertAnswer) {
        guard let (key, sent) = insertTickets.removeValue(forKey: ticket) else { return }
        insertsOfClient[key.client, default: 1] -= 1
        if insertsOfClient[key.client] == 0 { insertsOfClient[key.client] = nil }
        switch answer {
        case .acknowledged:
            noteSuccess(key.client, sentMilliseconds: sent)
            moved(key.batch)
        case .rowFault, .notSent: break
        case .refused(_, .destination): recent.forget(key.client)
        case .refused(let message, _): suspect(key.client, message)
        case .unknown(let message, let mayHaveReachedServer):
            // One that did not reach the server is answered by whether anything does.
            if mayHaveReachedServer { suspect(key.client, message) } else { probeServerUnlessProbing() }
        }
        trialAnswered(key, sentMilliseconds: sent, answer)
        update(key, ticket) { block, now, limits in
            block.insertAnswered(answer, nowMilliseconds: now, limits: limits)
        }
    }

    mutating func quietAnswered(_ ticket: UInt64, _ answer: QuietAnswer) {
        guard let key = questionTickets.removeValue(forKey: ticket) else { return }
        if case .unknown = answer { questionFailed(key, "the server did not say which queries are running") }
        update(key, ticket) { block, now, limits in
            block.quietAnswered(answer, nowMilliseconds: now, limits: limits)
        }
    }

    mutating func readBackAnswered(_ ticket: UInt64, _ answer: ReadBackAnswer) {
        guard let key = questionTickets.removeValue(forKey: ticket) else { return }
        switch answer {
        case .held, .missing: break
        case .refused(let message): questionFailed(key, message)
        case .unknown: questionFailed(key, "the server did not say which rows it holds")
        }
        update(key, ticket) { block, now, limits in
            block.readBackAnswered(answer, nowMilliseconds: now, limits: limits)
        }
    }

    mutating func rowsDeadLettered(_ ticket: UInt64) {
        guard let key = refusalTickets.removeValue(forKey: ticket) else { return }
        update(key, ticket) { block, _, _ in block.deadLettersSettled() }
    }

    private mutating func suspect(_ client: ClientID, _ message: String) {
        lastRefusal = message
        noteSuspicion(client)
    }

    private mutating func questionFailed(_ key: BlockKey, _ message: String) {
        probeServerUnlessProbing()
        suspect(key.client, message)
        trialFailed(key, message)
    }

    /// Changes a block, if it still waits for this answer, and sees to what it needs next.
    private mutating func update(
        _ key: BlockKey, _ ticket: UInt64, _ change: (inout BlockDelivery, Int64, DeliveryLimits) -> Void
    ) {
        guard let block = batches[key.batch]?.blocks[key.client], block.step == .answer, block.ticket == ticket else {
            return
        }
        change(&batches[key.batch]!.blocks[key.client]!, now, limits)
        giveUpIfItLastsTooLong(key)
        enqueue(key)
    }

    /// Puts the block where its next step waits for what it needs.
    mutating func enqueue(_ key: BlockKey) {
        guard let step = batches[key.batch]?.blocks[key.client]?.step else { return }
        switch step {
        case .insert: waitingForSlot.append(key)
        case .askQuiet, .readBack: waitingToAsk.append(key)
        case .wait: waitingForTime.append(key)
        case .confirm:
            waitingForServer.append(key)
            isVerdictDue = true
        case .deadLetter: deadLetter(key)
        case .answer: break
        case .settled: blockSettled(key)
        }
    }

    private mutating func deadLetter(_ key: BlockKey) {
        guard let block = batches[key.batch]?.blocks[key.client] else { return }
        if block.givingUp != nil && health.isToBlame {
            // While the server is to blame no event is given up, also where its client's circuit is open already.
            waitingForServer.append(key)
            return
        }
        let refusals = block.refusals
        let ticket = ticket()
        batches[key.batch]!.blocks[key.client]!.asked(ticket: ticket)
        refusalTickets[ticket] = key
        actions.append(.deadLetterRows(ticket: ticket, batch: key.batch, client: key.client, refusals: refusals))
    }

    private mutating func blockSettled(_ key: BlockKey) {
        endTrial(key)
        moved(key.batch)
        let refusals = batches[key.batch]?.blocks[key.client]?.refusals ?? []
        let refusedCount = refusals.reduce(0) { $0 + $1.rows.count }
        actions.append(.blockSettled(batch: key.batch, client: key.client, refusedCount: refusedCount))
        batches[key.batch]!.unsettledBlocks -= 1
        batches[key.batch]!.blocks[key.client] = nil
        if batches[key.batch]!.unsettledBlocks == 0 { complete(key.batch) }
    }

    /// Every block is settled. The offset moves past it once it is at the front of its chain.
    private mutating func complete(_ id: UUID128) {
        guard let partition = batches[id]?.partition else { return }
        batches[id]!.stage = .complete
        moved(id)
        actions.append(.completed(batch: id))
        while let first = partitions[partition]?.chain.first, batches[first]?.stage == .complete {
            partitions[partition]!.chain.removeFirst()
            batches[first] = nil
        }
    }
}
