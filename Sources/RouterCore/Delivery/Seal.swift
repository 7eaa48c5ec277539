extension Delivery {
    /// Seals the batch [end, hi) of a partition: its intent is committed, and nothing of it leaves before that is durable.
    ///
    /// - Precondition: `canSeal(partition)`, and `hi` is past the chain's end.
    public mutating func seal(
        partition: Int32, batch id: UUID128, hi: Int64, content: BatchContent, nowMilliseconds: Int64
    ) -> [DeliveryAction] {
        precondition(canSeal(partition), "the pipeline asks canSeal first")
        now = nowMilliseconds
        let lo = partitions[partition]!.end
        let scope = partitions[partition]!.scope(from: lo)
        precondition(hi > lo, "a batch is never empty of offsets")
        batches[id] = OutstandingBatch(
            id: id, partition: partition, lo: lo, hi: hi, isRedo: false, scope: scope, stage: .sealing,
            content: content)
        partitions[partition]!.chain.append(id)
        partitions[partition]!.end = hi
        commitWhatChanged()
        defer { actions = [] }
        return actions
    }

    /// What ought to be committed for a partition: past every complete batch at the front of its chain.
    func wantedState(_ chain: PartitionChain) -> PartitionState {
        guard let first = chain.chain.first, let front = batches[first] else {
            return PartitionState(offset: chain.end, heldBelow: chain.heldBelow)
        }
        let entries = chain.chain.compactMap { id in
            batches[id].map { PartitionState.Batch(id: id, hi: $0.hi, isComplete: $0.stage == .complete) }
        }
        return PartitionState(offset: front.lo, batches: entries, heldBelow: chain.heldBelow)
    }

    /// Sends the state of every partition whose state differs from what the broker holds, one request at a time each.
    mutating func commitWhatChanged() {
        for partition in partitions.keys { commitIfChanged(partition) }
    }

    private mutating func commitIfChanged(_ partition: Int32) {
        guard let chain = partitions[partition] else { return }
        guard let state = chain.lane.next(wanted: wantedState(chain), nowMilliseconds: now) else { return }
        let ticket = ticket()
        partitions[partition]!.lane.sending(state, ticket: ticket)
        commitSentMilliseconds[ticket] = now
        actions.append(.commit(partition: partition, state: state, ticket: ticket))
    }

    mutating func committed(_ partition: Int32, _ ticket: UInt64, _ answer: CommitAnswer) {
        let sentMilliseconds = commitSentMilliseconds.removeValue(forKey: ticket)
        // An answer to a commit of an assignment that is over says nothing about this one.
        guard let lane = partitions[partition]?.lane, lane.ticket == ticket else { return }
        if answer == .generationMissed {
            missedGeneration()
            return
        }
        let durable = partitions[partition]!.lane.answered(answer, nowMilliseconds: now, limits: limits)
        guard let durable else { return }
        if let sentMilliseconds { leaseSinceMilliseconds = max(leaseSinceMilliseconds, sentMilliseconds) }
        for sealed in durable.batches where batches[sealed.id]?.stage == .sealing {
            settleOrQuieten(sealed.id)
        }
        let held = waitingForLease
        waitingForLease = []
        for key in held { enqueue(key) }
    }

    /// This member may have lost partitions and got them back without being told: nothing it holds is valid.
    private mutating func missedGeneration() {
        let all = Array(partitions.keys)
        for partition in all { dropChain(partition) }
        leaseSinceMilliseconds = .min
        actions.append(.startOver(partitions: all.sorted()))
    }
}
