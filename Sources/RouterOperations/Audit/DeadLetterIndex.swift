/// Which judged offsets have a dead letter, of which reason, and when their records were made: 16 bytes a dead letter,
/// whatever the log's size.
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

    /// One dead letter of a partition.
    struct Letter: Sendable {
        /// offset << 8 | reason.
        fileprivate let word: UInt64
        private let time: Int64
        private static let noTime = Int64.min

        fileprivate init(_ origin: DeadLetterOrigin) {
            word = UInt64(origin.offset) << 8 | UInt64(origin.reason)
            time = origin.timestampMilliseconds ?? Self.noTime
        }

        var offset: Int64 { Int64(word >> 8) }
        var reason: UInt8 { UInt8(truncatingIfNeeded: word) }
        var timestampMilliseconds: Int64? { time == Self.noTime ? nil : time }

        fileprivate static func isBefore(_ one: Letter, _ other: Letter) -> Bool {
            (one.offset, one.time, one.reason) < (other.offset, other.time, other.reason)
        }
    }

    private(set) var seen = Seen()
    /// By partition: which offsets are judged.
    private let judged: [Int32: Range<Int64>]
    /// By partition. Sorted and without repetitions once `seal` was called.
    private var letters: [Int32: [Letter]] = [:]

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
                letters[origin.partition, default: []].append(Letter(origin))
            }
        }
    }

    /// Of several dead letters of one record (a redo sends them again) one stays. Where the topic was made anew, records of
    /// its former log had the same offsets at another time: theirs stay beside it.
    mutating func seal() {
        for partition in letters.keys {
            guard var all = letters.removeValue(forKey: partition) else { continue }
            all.sort(by: Letter.isBefore)
            var kept: [Letter] = []
            kept.reserveCapacity(all.count)
            for letter in all {
                if let last = kept.last, last.offset == letter.offset,
                    last.timestampMilliseconds == letter.timestampMilliseconds
                {
                    continue
                }
                kept.append(letter)
            }
            letters[partition] = kept
        }
    }

    /// Calls `body` for each dead letter of the partition with an offset in the range, in the order of offsets.
    func forEach(_ partition: Int32, in range: Range<Int64>, _ body: (Letter) -> Void) {
        guard let all = letters[partition] else { return }
        var index = Self.lowerBound(all, UInt64(max(0, range.lowerBound)) << 8)
        while index < all.count, all[index].offset < range.upperBound {
            body(all[index])
            index += 1
        }
    }

    /// The first index whose element is not below `value`.
    private static func lowerBound(_ sorted: [Letter], _ value: UInt64) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle].word < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
