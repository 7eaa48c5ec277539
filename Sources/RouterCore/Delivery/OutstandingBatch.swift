/// One sealed batch on its way: the range [lo, hi) of one partition.
struct OutstandingBatch {
    enum Stage: Equatable {
        /// Its intent is not known to be durable: nothing of it may leave.
        case sealing
        /// Durable, and an insert of an earlier life may still add rows of it.
        case quieting
        /// Named by the committed state of a life before; its records are being read again.
        case reading
        /// Its dead letters are on their way to Kafka.
        case deadLetters
        /// Its blocks are on their way to ClickHouse.
        case blocks
        case complete
    }

    let id: UUID128
    let partition: Int32
    let lo: Int64
    let hi: Int64
    let isRedo: Bool
    /// Which rows of its records the tables may hold.
    var scope = ReadBackScope.batch
    var stage: Stage
    /// Of the reading or the dead letters that are under way.
    var ticket: UInt64 = 0
    var quiet = BatchQuiet()
    var content: BatchContent?
    var blocks: [ClientID: BlockDelivery] = [:]
    var unsettledBlocks = 0
}

/// One assigned partition: its chain of batches and its commits.
struct PartitionChain {
    enum Phase: Equatable {
        case running
        /// Revoked: what is sealed is finished until the deadline, then abandoned.
        case draining(deadlineMilliseconds: Int64)
    }

    var phase: Phase = .running
    /// Ids of the batches in the order of their ranges.
    var chain: [UUID128] = []
    /// Where the next batch starts.
    var end: Int64
    /// See `PartitionState.heldBelow`.
    var heldBelow: Int64?
    /// Since when this member holds the partition.
    var assignedMilliseconds: Int64
    var lane: CommitLane
    /// Goes up with everything that happens to its batches, whatever it is: what stands still does not.
    var movements = 0

    /// What a batch that starts at `lo` has to look for.
    func scope(from lo: Int64) -> ReadBackScope {
        guard let heldBelow, lo < heldBelow else { return .batch }
        return .origin(sinceMilliseconds: assignedMilliseconds)
    }
}

struct BlockKey: Hashable {
    let batch: UUID128
    let client: ClientID
}

/// Blocks that wait for an insert slot, client after client, so that none waits for another's queue.
struct FairQueue {
    private var queues: [ClientID: [BlockKey]] = [:]
    private var heads: [ClientID: Int] = [:]
    private var rotation: [ClientID] = []
    private var rotationHead = 0

    mutating func append(_ key: BlockKey) {
        if queues[key.client] == nil {
            queues[key.client] = []
            rotation.append(key.client)
        }
        queues[key.client]?.append(key)
    }

    /// The next block of a client that `mayRun`, taken from the queue. Each client waiting is looked at once at most.
    mutating func next(where mayRun: (ClientID) -> Bool) -> BlockKey? {
        for _ in rotationHead..<rotation.count {
            let client = rotation[rotationHead]
            rotationHead += 1
            compactRotation()
            guard mayRun(client) else {
                rotation.append(client)
                continue
            }
            return take(client)
        }
        return nil
    }

    private mutating func take(_ client: ClientID) -> BlockKey? {
        guard let queue = queues[client] else { return nil }
        let head = heads[client, default: 0]
        let key = queue[head]
        if head + 1 == queue.count {
            queues[client] = nil
            heads[client] = nil
        } else {
            heads[client] = head + 1
            rotation.append(client)
        }
        return key
    }

    private mutating func compactRotation() {
        guard rotationHead > 1024, rotationHead * 2 > rotation.count else { return }
        rotation.removeFirst(rotationHead)
        rotationHead = 0
    }
}
