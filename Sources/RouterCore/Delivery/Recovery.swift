extension Delivery {
    /// A partition is this member's: its committed state names the batches that may have been inserted in part.
    /// They are redone beside normal work, which goes on at the chain's end.
    mutating func recover(_ partition: Int32, _ state: PartitionState, isCommitted: Bool) {
        if partitions[partition] != nil { dropChain(partition) }
        var chain = PartitionChain(
            end: state.end, heldBelow: state.heldBelow, assignedMilliseconds: now,
            lane: CommitLane(durable: isCommitted ? state : nil))
        var lo = state.offset
        for entry in state.batches {
            batches[entry.id] = OutstandingBatch(
                id: entry.id, partition: partition, lo: lo, hi: entry.hi, isRedo: true,
                scope: chain.scope(from: lo), stage: entry.isComplete ? .complete : .quieting)
            chain.chain.append(entry.id)
            if !entry.isComplete { waitingForQuiet.append(entry.id) }
            lo = entry.hi
        }
        while let first = chain.chain.first, batches[first]?.stage == .complete {
            chain.chain.removeFirst()
            batches[first] = nil
        }
        partitions[partition] = chain
        actions.append(.start(partition: partition, offset: chain.end))
    }

    /// Revoked: what is sealed may finish within the rebalance, what is not never left.
    mutating func drain(_ revoked: [Int32]) {
        for partition in revoked {
            guard partitions[partition] != nil else {
                actions.append(.release(partition: partition))
                continue
            }
            partitions[partition]!.phase = .draining(deadlineMilliseconds: now + limits.revokeDrainMilliseconds)
        }
    }

    mutating func releaseWhatIsDrained() {
        for (partition, chain) in partitions {
            guard case .draining = chain.phase, isIdle(partition) else { continue }
            partitions[partition] = nil
            actions.append(.release(partition: partition))
        }
    }

    /// Lets go of a partition as it is: the next owner finds what was under way in the committed state.
    mutating func abandon(_ partition: Int32) {
        dropChain(partition)
        actions.append(.release(partition: partition))
    }

    mutating func dropChain(_ partition: Int32) {
        guard let chain = partitions.removeValue(forKey: partition) else { return }
        for id in chain.chain {
            batches[id] = nil
            endTrials(of: id)
            actions.append(.dropped(batch: id))
        }
    }
}
