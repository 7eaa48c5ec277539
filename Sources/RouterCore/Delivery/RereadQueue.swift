/// What has to be read from Kafka a second time, one range at a time: batches of an earlier life, and records whose rows
/// were refused. A plain value; whoever reads tells it how it went.
public struct RereadQueue: Sendable {
    public enum Job: Sendable {
        case redo(ticket: UInt64, batch: UUID128, lo: Int64, hi: Int64)
        /// By offset: why the row of this record is refused.
        case deadLetters(ticket: UInt64, batch: UUID128, client: ClientID, refusals: [Int64: Refusal])

        public var batch: UUID128 {
            switch self {
            case .redo(_, let batch, _, _): batch
            case .deadLetters(_, let batch, _, _): batch
            }
        }

        public var ticket: UInt64 {
            switch self {
            case .redo(let ticket, _, _, _): ticket
            case .deadLetters(let ticket, _, _, _): ticket
            }
        }
    }

    /// The records [from, to) of a partition, and what they are read for.
    public struct Range: Sendable {
        public var job: Job
        public var partition: Int32
        public var from: Int64
        public var to: Int64
        var notBeforeMilliseconds: Int64 = 0
    }

    /// A broker that cannot be read from now is not asked faster than this.
    static let retryMilliseconds: Int64 = 1_000
    /// An entry of a job's dictionary, with the share of its table that is empty.
    private static let refusalBytes = 64

    public private(set) var current: Range?
    private var waiting: [Range] = []

    public init() {}

    public var isIdle: Bool { current == nil && waiting.isEmpty }

    /// What the jobs themselves take in memory.
    public var bytes: Int {
        var count = 0
        func add(_ range: Range) {
            if case .deadLetters(_, _, _, let refusals) = range.job { count += refusals.count }
        }
        waiting.forEach(add)
        if let current { add(current) }
        return count * Self.refusalBytes
    }

    public mutating func add(_ job: Job, partition: Int32, from: Int64, to: Int64) {
        waiting.append(Range(job: job, partition: partition, from: from, to: to))
    }

    /// What nobody waits for any more.
    public struct Cancelled: Sendable, Equatable {
        /// The range that is being read is among it.
        public var isReading = false
        /// Tickets of dead letters, some of which may have been handed over.
        public var letterTickets: [UInt64] = []

        public init(isReading: Bool = false, letterTickets: [UInt64] = []) {
            self.isReading = isReading
            self.letterTickets = letterTickets
        }
    }

    /// The batch is not this member's any more.
    public mutating func cancel(batch id: UUID128) -> Cancelled {
        var cancelled = Cancelled()
        for range in waiting + [current].compactMap({ $0 }) where range.job.batch == id {
            if case .deadLetters = range.job { cancelled.letterTickets.append(range.job.ticket) }
        }
        waiting.removeAll { $0.job.batch == id }
        if current?.job.batch == id {
            cancelled.isReading = true
            current = nil
        }
        return cancelled
    }

    /// The range to be read next, if there is one and none is being read.
    ///
    /// - Parameter mayRedo: false while there is no memory for another batch. What gives memory back goes first then.
    public mutating func start(nowMilliseconds: Int64, mayRedo: Bool) -> Range? {
        guard current == nil else { return nil }
        let next = waiting.firstIndex { range in
            if case .redo = range.job, !mayRedo { return false }
            return range.notBeforeMilliseconds <= nowMilliseconds
        }
        guard let next else { return nil }
        current = waiting.remove(at: next)
        return current
    }

    public mutating func finished() { current = nil }

    /// - Parameter from: where it goes on; nil where what was read is of no use without the rest.
    public mutating func failed(from: Int64?, nowMilliseconds: Int64) {
        guard var again = current else { return }
        current = nil
        again.from = max(again.from, from ?? again.from)
        again.notBeforeMilliseconds = nowMilliseconds + Self.retryMilliseconds
        waiting.append(again)
    }

    /// When a range that failed is due again.
    public func nextDeadlineMilliseconds(after now: Int64) -> Int64? {
        guard current == nil else { return nil }
        return waiting.map(\.notBeforeMilliseconds).filter { $0 > now }.min()
    }

    /// True while a batch of the partition waits to be read again, or is.
    public func isReading(_ partition: Int32) -> Bool {
        current?.partition == partition || waiting.contains { $0.partition == partition }
    }
}
