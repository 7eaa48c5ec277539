import RouterCore

/// The dead letters of one topic by their origins, the last one of each: 40 bytes a dead letter, whatever its size.
struct DeadLetterCatalog: Sendable {
    struct Letter: Sendable, Equatable {
        var offset: Int64
        /// The record's own, or `noTime`: an optional would take eight bytes more.
        private let time: Int64
        var failedAtMilliseconds: Int64
        /// Where it lies in the dead-letter topic.
        var place: Place
        /// By its number in `clients`; -1 for none.
        var client: Int32
        var reason: UInt8
        /// The client's key was verified; else it is only what the record says.
        var isClientVerified: Bool
        /// The filters choose it.
        var isSelected: Bool
        var isDelivered = false

        private static let noTime = Int64.min

        init(
            offset: Int64, timestampMilliseconds: Int64? = nil, failedAtMilliseconds: Int64, place: Place,
            client: Int32, reason: UInt8, isClientVerified: Bool, isSelected: Bool
        ) {
            self.offset = offset
            time = timestampMilliseconds ?? Self.noTime
            self.failedAtMilliseconds = failedAtMilliseconds
            self.place = place
            self.client = client
            self.reason = reason
            self.isClientVerified = isClientVerified
            self.isSelected = isSelected
        }

        var origin: PartitionOrigin {
            PartitionOrigin(offset: offset, timestampMilliseconds: time == Self.noTime ? nil : time)
        }
    }

    /// A place in the dead-letter topic, in one word.
    struct Place: Sendable, Hashable, Comparable {
        private let word: UInt64
        private static let offsetBits: UInt64 = 48

        /// nil beyond 65,536 partitions and 2^48 records of one, which no topic reaches.
        init?(partition: Int32, offset: Int64) {
            guard (0..<Int32(1 << 16)).contains(partition), (0..<Int64(1) << Int64(Self.offsetBits)).contains(offset)
            else { return nil }
            word = UInt64(partition) << Self.offsetBits | UInt64(offset)
        }

        var partition: Int32 { Int32(word >> Self.offsetBits) }
        var offset: Int64 { Int64(word & (1 << Self.offsetBits - 1)) }

        static func < (one: Self, other: Self) -> Bool { one.word < other.word }
    }

    /// What was seen besides.
    struct Seen: Sendable, Equatable {
        var read = 0
        var malformed = 0
        var ofOtherTopics = 0
        /// Of origins at or past the committed offset: the router may still be at them.
        var inFlight = 0
        /// Dead letters that a later one of the same origin replaces.
        var repeated = 0
    }

    /// Ids that records name are anybody's: a flood of made-up ones stays bounded, and counts together.
    static let maxClients = 100_000

    var seen = Seen()
    private(set) var letters: [Int32: [Letter]] = [:]
    private(set) var clients: [ClientID] = []
    private var numbers: [ClientID: Int32] = [:]

    mutating func add(_ letter: Letter, partition: Int32) { letters[partition, default: []].append(letter) }

    mutating func number(of client: ClientID?) -> Int32 {
        guard let client else { return -1 }
        if let number = numbers[client] { return number }
        guard clients.count < Self.maxClients else { return -1 }
        clients.append(client)
        numbers[client] = Int32(clients.count - 1)
        return Int32(clients.count - 1)
    }

    func client(_ letter: Letter) -> ClientID? { letter.client < 0 ? nil : clients[Int(letter.client)] }

    /// Orders by origin and keeps the last letter of each: what it says is the latest verdict. To be called once all
    /// are there, and again after more have come.
    mutating func seal() {
        for partition in letters.keys {
            var all = letters.removeValue(forKey: partition) ?? []
            all.sort {
                ($0.offset, $0.failedAtMilliseconds, $0.place) < ($1.offset, $1.failedAtMilliseconds, $1.place)
            }
            var kept = 0
            for index in all.indices {
                if kept > 0, all[kept - 1].offset == all[index].offset {
                    all[kept - 1] = all[index]
                    seen.repeated += 1
                } else {
                    all[kept] = all[index]
                    kept += 1
                }
            }
            all.removeLast(all.count - kept)
            letters[partition] = all
        }
    }

    mutating func setDelivered(_ partition: Int32, _ held: Set<Int64>) {
        guard !held.isEmpty, var all = letters.removeValue(forKey: partition) else { return }
        for index in all.indices where held.contains(all[index].offset) { all[index].isDelivered = true }
        letters[partition] = all
    }

    var partitions: [Int32] { letters.keys.sorted() }

    func forEachSelected(_ body: (_ partition: Int32, _ letter: Letter) -> Void) {
        for partition in partitions {
            for letter in letters[partition] ?? [] where letter.isSelected { body(partition, letter) }
        }
    }
}
