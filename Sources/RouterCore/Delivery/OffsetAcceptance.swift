/// What is known of a partition beside its log: the group's committed state, and the tripwire in Postgres.
public struct OffsetSituation: Equatable, Sendable {
    /// nil when the group has committed nothing.
    public var committedOffset: Int64?
    /// As far as its zero byte; nil and empty are the same to Kafka.
    public var metadata: String?
    /// The last offset that `partition_progress` remembers.
    public var progressOffset: Int64?

    public init(committed: (offset: Int64, metadata: String?)?, progressOffset: Int64?) {
        committedOffset = committed?.offset
        let text = committed?.metadata.map { String($0.prefix { $0 != "\0" }) }
        metadata = text?.isEmpty == false ? text : nil
        self.progressOffset = progressOffset
    }
}

extension OffsetSituation {
    /// Whether nothing has changed that a decision rests on. The tripwire is written some time after the commit it stands
    /// for, so beside a committed offset it may still move; without one it is all that is known.
    func isStill(_ before: OffsetSituation) -> Bool {
        committedOffset == before.committedOffset && metadata == before.metadata
            && (committedOffset != nil || progressOffset == before.progressOffset)
    }
}

/// A person's decision that a partition which stands still goes on at an offset.
///
/// It is made for one situation of one log, and taken once, by the member that owns the partition: were it valid for
/// longer, the next loss of the group's state would silently go back to an offset that was meant for this one.
public struct OffsetAcceptance: Equatable, Sendable {
    public var id: Int64
    public var partition: Int32
    /// Where the partition goes on.
    public var offset: Int64
    /// Records from here up to `offset` that were not delivered are given up; equal to `offset` when none are.
    public var skippedFrom: Int64
    /// The log when it was accepted: its first offset, and one past its last. Rows below the end may exist already.
    public var logStart: Int64
    public var logEnd: Int64
    public var situation: OffsetSituation
    public var acceptedBy: String
    public var reason: String

    public init(
        id: Int64, partition: Int32, offset: Int64, skippedFrom: Int64, logStart: Int64, logEnd: Int64,
        situation: OffsetSituation, acceptedBy: String, reason: String
    ) {
        self.id = id
        self.partition = partition
        self.offset = offset
        self.skippedFrom = skippedFrom
        self.logStart = logStart
        self.logEnd = logEnd
        self.situation = situation
        self.acceptedBy = acceptedBy
        self.reason = reason
    }

    /// Where the partition starts by this acceptance; nil when it was made for another situation or another log.
    public func start(in now: OffsetSituation, low: Int64, high: Int64) -> (
        state: PartitionState, lost: [Range<Int64>]
    )? {
        // A log that ends before the end it had was made anew or cut since.
        guard now.isStill(situation), logEnd <= high, offset <= high else { return nil }
        let state = PartitionState(offset: offset, heldBelow: logEnd)
        return (state, state.lost(below: low))
    }
}

extension PartitionState {
    /// Offsets that retention took before they were known to be delivered: those of complete batches were.
    public func lost(below low: Int64) -> [Range<Int64>] {
        var lost: [Range<Int64>] = []
        func add(_ lo: Int64, _ hi: Int64) {
            guard lo < hi else { return }
            if lost.last?.upperBound == lo {
                lost[lost.count - 1] = lost[lost.count - 1].lowerBound..<hi
            } else {
                lost.append(lo..<hi)
            }
        }
        var lo = offset
        for batch in batches {
            if !batch.isComplete { add(lo, min(batch.hi, low)) }
            lo = batch.hi
        }
        add(lo, low)
        return lost
    }
}
