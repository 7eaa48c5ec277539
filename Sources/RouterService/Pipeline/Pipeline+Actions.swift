import KafkaClient
import Logging
import RouterCore

// Steps 5 to 7: what the delivery machine asks for is carried out. Nothing else commits.
extension Pipeline {
    func perform(_ actions: [DeliveryAction]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: DeliveryAction) {
        switch action {
        case .commit(let partition, let state, let ticket):
            commit(partition, state, ticket)
        case .start:
            break  // the consumer was told where to start when the partition was assigned
        case .redo(let ticket, let partition, let batch, let lo, let hi):
            log.notice(
                "batch of an earlier life is redone",
                metadata: place(batch, partition, lo, hi))
            rangeJobs.add(.redo(ticket: ticket, batch: batch, lo: lo, hi: hi), partition: partition, from: lo, to: hi)
        case .settleDeadLetters(let ticket, let batch):
            settleDeadLetters(ticket, batch)
        case .insert(let ticket, let batch, let client, let rows, let token, let startBefore):
            guard let block = sealed[batch]?.blocks[client] else { return missing(batch, "insert") }
            destination.insert(
                ticket: ticket, block: block, rows: rows, token: token, startBeforeMilliseconds: startBefore)
        case .askBatchQuiet(let ticket, let batch, let scope):
            destination.askBatchQuiet(ticket: ticket, batch: batch, scope: scope)
        case .askQuiet(let ticket, let batch, let client):
            destination.askQuiet(ticket: ticket, batch: batch, client: client)
        case .readBack(let ticket, let batch, let client, let scope):
            guard let block = sealed[batch]?.blocks[client] else { return missing(batch, "read-back") }
            destination.readBack(ticket: ticket, block: block, scope: scope)
        case .deadLetterRows(let ticket, let batch, let client, let refusals):
            deadLetterRows(ticket, batch, client, refusals)
        case .probeServer(let ticket):
            destination.probeServer(ticket: ticket)
        case .probeWrite(let ticket):
            destination.probeWrite(ticket: ticket)
        case .blockSettled(let batch, let client, let refusedCount):
            blockSettled(batch, client, refusedCount)
        case .completed(let batch):
            completed(batch)
        case .dropped(let batch):
            rangeJobs.cancel(batch: batch)
            forget(batch)
        case .release(let partition):
            released(partition)
        case .startOver:
            missGeneration()
        case .circuitOpened(let client, let message):
            circuitsOpenedAt[client] = wall
            log.error(
                "a client's destination refuses writes, its events become dead letters until it is mended",
                metadata: ["client": "\(client)", "error": "\(message)"])
        case .circuitClosed(let client):
            circuitsOpenedAt[client] = nil
            log.notice("a client's destination takes writes again", metadata: ["client": "\(client)"])
        case .serverBlamed(let fault):
            serverBlamed(fault)
        case .serverBack:
            log.notice("ClickHouse answers again, and takes inserts")
        case .writeProbeMissing:
            log.warning(
                "ClickHouse has no table for the neutral write, so no client's destination can be blamed: run `router provision --all`",
                metadata: ["table": "\(WriteProbe.quotedTable)"])
        }
    }

    private func serverBlamed(_ fault: ServerFault) {
        let place: Logger.Metadata = [
            "host": "\(settings.clickHouse.host)", "port": "\(settings.clickHouse.port)",
            "error": "\(fault.explanation)",
        ]
        if fault == .away {
            log.error("ClickHouse does not answer, waiting for it", metadata: place)
        } else {
            log.error("ClickHouse takes no inserts, waiting for it", metadata: place)
        }
    }

    private func missing(_ batch: UUID128, _ what: String) {
        // The machine and the bytes are kept together; this would be a fault of ours, and waiting is the safe answer.
        log.critical("no bytes for a batch under way", metadata: ["batch": "\(batch)", "for": "\(what)"])
    }

    /// Sends what was held back while the member joined, but for what is not this member's any more.
    func sendHeldCommits() {
        guard !membership.heldCommits.isEmpty, !consumer.isJoining else { return }
        let held = membership.heldCommits
        membership.heldCommits = []
        for (partition, state, ticket) in held where delivery.awaitsCommit(partition, ticket: ticket) {
            commit(partition, state, ticket)
        }
    }

    private func commit(_ partition: Int32, _ state: PartitionState, _ ticket: UInt64) {
        let target = TopicPartition(topic: topic, partition: partition)
        guard !membership.isRejoining, isStillMember() else {
            // Sent now it might be taken, under a generation that this state is not of.
            mailbox.post(.delivery(.committed(partition: partition, ticket: ticket, answer: .generationMissed)))
            return
        }
        // Looked at last: the look at the member above waits for librdkafka's thread, which may just set out to join.
        guard !consumer.isJoining else {
            membership.heldCommits.append((partition, state, ticket))
            return
        }
        membership.commits[ticket] = (partition, state)
        do {
            try consumer.commit([(target, state.offset, state.metadata)], ticket: ticket)
        } catch {
            log.warning("cannot send a commit", metadata: ["partition": "\(partition)", "error": "\(error)"])
            membership.commits[ticket] = nil
            mailbox.post(.delivery(.committed(partition: partition, ticket: ticket, answer: .retry)))
        }
    }

    private func settleDeadLetters(_ ticket: UInt64, _ id: UUID128) {
        guard let batch = sealed[id] else { return missing(id, "dead letters") }
        outbox.send(batch.deadLetters, as: .batch(ticket: ticket, id))
        // The outbox holds them now, and counts them.
        sealedBytes.deadLettersHandedOver(id)
        batch.deadLetters = []
    }

    /// The rows' originals are read from Kafka again: a dead letter is the record as it came.
    private func deadLetterRows(
        _ ticket: UInt64, _ id: UUID128, _ client: ClientID, _ refusals: [(rows: RowSet, refusal: Refusal)]
    ) {
        guard let batch = sealed[id], let block = batch.blocks[client] else { return missing(id, "dead letters") }
        var byOffset: [Int64: Refusal] = [:]
        for (rows, refusal) in refusals {
            for row in rows.rows {
                if let offset = block.rows.offset(ofRow: Int(row)) { byOffset[offset] = refusal }
            }
        }
        let offsets = byOffset.keys
        rangeJobs.add(
            .deadLetters(ticket: ticket, batch: id, client: client, refusals: byOffset), partition: batch.partition,
            from: offsets.min() ?? batch.lo, to: (offsets.max() ?? batch.lo) + 1)
    }

    private func blockSettled(_ id: UUID128, _ client: ClientID, _ refusedCount: Int) {
        guard let batch = sealed[id], let block = batch.blocks.removeValue(forKey: client) else { return }
        let delivered = block.rows.rowCount - refusedCount
        if delivered > 0 {
            metrics.delivered(client, count: delivered)
            counts.delivered += delivered
            for (arrived, count) in block.arrivals { metrics.latency(milliseconds: wall - arrived, count: count) }
        }
        sealedBytes.blockSettled(id, client)
    }

    private func completed(_ id: UUID128) {
        if let batch = sealed[id] {
            log.debug("batch completed", metadata: place(id, batch.partition, batch.lo, batch.hi))
            progress.completed(partition: batch.partition, offset: batch.hi - 1)
        }
        forget(id)
    }

    private func forget(_ id: UUID128) {
        membership.announced.remove(id)
        sealed[id] = nil
        sealedBytes.forget(id)
    }

    func place(_ batch: UUID128, _ partition: Int32, _ lo: Int64, _ hi: Int64) -> Logger.Metadata {
        [
            "batch": "\(batch)", "topic": "\(topic)", "partition": "\(partition)", "lo": "\(lo)", "hi": "\(hi)",
        ]
    }
}
