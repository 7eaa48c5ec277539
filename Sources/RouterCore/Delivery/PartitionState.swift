/// What is committed for one partition: an offset, and in Kafka's metadata string the batches sealed from there on.
///
/// It says: *these batches may have been inserted; nothing beyond them has.* The batches are a chain without gaps:
/// the first starts at `offset`, each next one where the one before it ends.
public struct PartitionState: Equatable, Sendable {
    public struct Batch: Equatable, Sendable {
        public var id: UUID128
        /// One past the last offset of the batch.
        public var hi: Int64
        public var isComplete: Bool

        public init(id: UUID128, hi: Int64, isComplete: Bool) {
            self.id = id
            self.hi = hi
            self.isComplete = isComplete
        }
    }

    /// The lo of the oldest incomplete batch, or where the next batch starts.
    public var offset: Int64
    public var batches: [Batch]
    /// Where it is not known which batches were delivered from here on (the committed state was lost, or set by another
    /// tool): offsets below this may have rows already, under batch ids that nobody knows any more. Batches that start
    /// below it look for rows of the same *origin* before anything is inserted.
    public var heldBelow: Int64?

    public init(offset: Int64, batches: [Batch] = [], heldBelow: Int64? = nil) {
        self.offset = offset
        self.batches = batches
        // Nothing is left to look for: one state, one text.
        self.heldBelow = heldBelow.flatMap { $0 > offset ? $0 : nil }
    }

    /// Where the chain ends and the next batch starts.
    public var end: Int64 { batches.last?.hi ?? offset }
}

/// Why a committed metadata string cannot be gone on from: the partition stops, and a person decides.
public enum PartitionStateError: Error, Equatable, Sendable {
    /// Written by a version of the router that this one does not know.
    case unknownVersion(String)
    /// Starts like ours, but does not parse: cut, or written by something else.
    case malformed(String)

    /// A sentence for a person, with what to do.
    public var explanation: String {
        switch self {
        case .unknownVersion(let version):
            "the committed metadata has version '\(Self.shown(version))', which this router does not know (it knows v1): "
                + "run the version that wrote it, or a newer one"
        case .malformed(let text):
            "the committed metadata starts like a router's but does not parse ('\(Self.shown(text))'): "
                + "see which program commits to this group; nothing of this partition is touched until it is resolved"
        }
    }
}

extension PartitionStateError {
    /// Anyone who may commit to the group can write anything there: what steers a terminal is not repeated.
    private static func shown(_ text: String) -> String {
        String(text.unicodeScalars.map { (" "..."~").contains($0) ? Character($0) : "?" })
    }
}

extension PartitionState {
    /// Kafka's limit on the metadata string, `offset.metadata.max.bytes`' default.
    public static let maxMetadataBytes = 4096

    /// The string that is committed beside `offset`: `v1`, then `h<heldBelow>` where that is set, then a word per batch:
    /// `<id as 32 hex digits>:<length>`, with a `c` behind it when the batch is complete. Lengths instead of offsets keep it short. A zero byte ends it:
    /// librdkafka hands a reader the bytes and their number, and some of its bindings (Python's) take them for a C string
    /// and would read what happens to lie behind.
    public var metadata: String {
        var text = "v1"
        if let heldBelow { text += " h\(heldBelow)" }
        var lo = offset
        for batch in batches {
            text += " \(batch.id.hex32):\(batch.hi - lo)"
            if batch.isComplete { text += "c" }
            lo = batch.hi
        }
        return text + "\0"
    }

    /// The longest word a batch can add to the metadata: a space, 32 digits, a colon, 19 digits, a `c`.
    static let maxWordBytes = 1 + 32 + 1 + 19 + 1

    /// Reads what was committed. No metadata at all (a broker that does not keep it, or a commit made by another tool)
    /// is a state without batches: what is known is the offset. `StartDecision` tells that case from ours.
    public init(offset: Int64, metadata: String?) throws(PartitionStateError) {
        self.init(offset: offset)
        guard let metadata = metadata?.prefix(while: { $0 != "\0" }), !metadata.isEmpty else { return }
        var words = metadata.split(separator: " ", omittingEmptySubsequences: false)
        let version = words.removeFirst()
        guard version == "v1" else { throw .unknownVersion(String(version.prefix(32))) }
        if let first = words.first, first.hasPrefix("h") {
            guard let heldBelow = Self.number(first.dropFirst()) else { throw .malformed(String(first.prefix(64))) }
            if heldBelow > offset { self.heldBelow = heldBelow }
            words.removeFirst()
        }
        var lo = offset
        for word in words {
            guard let batch = Self.batch(word, lo: lo) else { throw .malformed(String(word.prefix(64))) }
            lo = batch.hi
            batches.append(batch)
        }
    }

    private static func number(_ digits: Substring) -> Int64? {
        digits.allSatisfy { $0.isASCII && $0.isNumber } ? Int64(digits) : nil
    }

    private static func batch(_ word: Substring, lo: Int64) -> Batch? {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let id = UUID128(hex32: parts[0]) else { return nil }
        var digits = parts[1]
        let isComplete = digits.last == "c"
        if isComplete { digits.removeLast() }
        guard let length = number(digits), length > 0 else { return nil }
        let (hi, overflow) = lo.addingReportingOverflow(length)
        guard !overflow else { return nil }
        return Batch(id: id, hi: hi, isComplete: isComplete)
    }
}

extension UUID128 {
    /// 32 lower-case hex digits without hyphens.
    var hex32: String {
        func digits(_ word: UInt64) -> String {
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits(high) + digits(low)
    }

    init?(hex32 text: Substring) {
        guard text.utf8.count == 32, text.allSatisfy({ $0.isHexDigit && $0.isASCII }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}
