/// Which judged offsets have a dead letter, and of which reason: eight bytes a dead letter, whatever the log's size.
struct DeadLetterIndex: Sendable {
    /// What was seen and is not judged.
    struct Seen: Sendable, Equatable {
        var read = 0
        var malformed = 0
        var ofOtherTopics = 0
        /// At or past the committed offset: the router may be about to commit, or to send them again.
        var inFlight = 0
        /// Below the log's start: their record cannot be read any more.
        var beyondRetention = 0
    }

    private(set) var seen = Seen()
    /// By partition: which offsets are judged.
    private let judged: [Int32: Range<Int64>]
    /// By partition: offset << 8 | reason. Sorted and without repetitions once `seal` was called.
    private var letters: [Int32: [UInt64]] = [:]

    init(judged: [Int32: Range<Int64>]) { self.judged = judged }

    mutating func add(_ origin: DeadLetterOriginReader.Origin) {
        seen.read += 1
        switch origin {
        case .malformed: seen.malformed += 1
        case .otherTopic: seen.ofOtherTopics += 1
        case .origin(let origin):
            // A partition that the topic does not have is no origin.
            guard let range = judged[origin.partition] else { return seen.malformed += 1 }
            if origin.offset >= range.upperBound {
                seen.inFlight += 1
            } else if origin.offset < range.lowerBound {
                seen.beyondRetention += 1
            } else {
                letters[origin.partition, default: []].append(UInt64(origin.offset) << 8 | UInt64(origin.reason))
            }
        }
    }

    /// Of several dead letters of one offset (a redo sends them again) one stays.
    mutating func seal() {
        for partition in letters.keys {
            letters[partition]?.sort()
            guard let all = letters[partition] else { continue }
            var kept: [UInt64] = []
            kept.reserveCapacity(all.count)
            for letter in all where kept.last.map({ $0 >> 8 != letter >> 8 }) ?? true { kept.append(letter) }
            letters[partition] = kept
        }
    }

    /// Calls `body` for each dead letter of the partition with an offset in the range, in the order of offsets.
    func forEach(_ partition: Int32, in range: Range<Int64>, _ body: (_ offset: Int64, _ reason: UInt8) -> Void) {
        guard let all = letters[partition] else { return }
        var index = Self.lowerBound(all, UInt64(max(0, range.lowerBound)) << 8)
        while index < all.count {
            let offset = Int64(all[index] >> 8)
            guard offset < range.upperBound else { return }
            body(offset, UInt8(truncatingIfNeeded: all[index]))
            index += 1
        }
    }

    /// The first index whose element is not below `value`.
    private static func lowerBound(_ sorted: [UInt64], _ value: UInt64) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
