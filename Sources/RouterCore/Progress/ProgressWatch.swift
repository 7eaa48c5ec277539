/// Whether work moves, partition by partition: told from what has happened, and not from what was asked for.
///
/// A plain value: shown each partition a few times a second, it says when one has begun to stand still, and when it moves
/// again. A partition without work does not stand still, however long.
public struct ProgressWatch: Sendable {
    /// What is looked at. Movement is any difference to the last look.
    public struct Sight: Sendable, Equatable {
        /// One past the last record that was taken.
        public var position: Int64
        public var committedOffset: Int64
        /// Of `Delivery.movements`.
        public var movements: Int
        /// Something is read and not delivered, or can be read.
        public var hasWork: Bool
        public var waitingFor: WaitReason

        public init(
            position: Int64, committedOffset: Int64, movements: Int, hasWork: Bool, waitingFor: WaitReason
        ) {
            self.position = position
            self.committedOffset = committedOffset
            self.movements = movements
            self.hasWork = hasWork
            self.waitingFor = waitingFor
        }
    }

    /// What is known of one partition.
    public struct Progress: Sendable, Equatable {
        /// Monotonic; when it was seen first, as long as nothing has moved.
        public var movedAtMilliseconds: Int64
        /// nil where there is nothing to wait for.
        public var waitingFor: WaitReason?
        /// How long it has stood still; 0 until that is longer than a moment.
        public var stalledMilliseconds: Int64
    }

    public enum Change: Sendable, Equatable {
        case began(partition: Int32, waitingFor: WaitReason, milliseconds: Int64)
        /// `milliseconds`: how long it had stood still.
        case ended(partition: Int32, waitedFor: WaitReason, milliseconds: Int64)
    }

    /// Work that has not moved for so long stands still: longer than a batch's age and an insert take where all is well,
    /// and short enough that `/readyz` says so within ten seconds.
    public static let stallMilliseconds: Int64 = 5_000

    private struct Watched: Sendable {
        var sight: Sight
        var movedAt: Int64
        /// Since when there has been work without a movement; nil without work.
        var waitingSince: Int64?
        var announced: WaitReason?
    }

    private var watched: [Int32: Watched] = [:]

    public init() {}

    public mutating func look(_ partition: Int32, _ sight: Sight, nowMilliseconds now: Int64) -> Change? {
        guard var known = watched[partition] else {
            watched[partition] = Watched(sight: sight, movedAt: now, waitingSince: sight.hasWork ? now : nil)
            return nil
        }
        let before = known.sight
        let hasMoved =
            sight.position != before.position || sight.committedOffset != before.committedOffset
            || sight.movements != before.movements
        known.sight = sight
        var change: Change?
        if hasMoved || !sight.hasWork {
            if let waitedFor = known.announced {
                change = .ended(
                    partition: partition, waitedFor: waitedFor, milliseconds: now - (known.waitingSince ?? now))
            }
            known.announced = nil
            if hasMoved { known.movedAt = now }
            known.waitingSince = sight.hasWork ? now : nil
        } else {
            let since = known.waitingSince ?? now
            known.waitingSince = since
            if known.announced == nil, now - since >= Self.stallMilliseconds {
                known.announced = sight.waitingFor
                change = .began(partition: partition, waitingFor: sight.waitingFor, milliseconds: now - since)
            }
        }
        watched[partition] = known
        return change
    }

    /// The partition is not this member's any more.
    public mutating func forget(_ partition: Int32) { watched[partition] = nil }

    public func progress(_ partition: Int32, nowMilliseconds now: Int64) -> Progress? {
        guard let known = watched[partition] else { return nil }
        let waited = known.waitingSince.map { now - $0 } ?? 0
        return Progress(
            movedAtMilliseconds: known.movedAt, waitingFor: known.sight.hasWork ? known.sight.waitingFor : nil,
            stalledMilliseconds: waited >= Self.stallMilliseconds ? waited : 0)
    }
}
