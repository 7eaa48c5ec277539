import RouterCore

/// Where a dead letter says that its record came from. Anyone can write to the dead-letter topic and `router.*` headers to the raw
/// one, so nothing here is taken for granted; the *last* header of a name is the router's own.
struct DeadLetterOrigin: Equatable, Sendable {
    var partition: Int32
    var offset: Int64
    /// Which `DeadLetterReason`, by its place in `allCases`; `unknownReason` for any other text.
    var reason: UInt8
    /// The record's own timestamp; nil where it had none, or the header cannot be read.
    var timestampMilliseconds: Int64?

    static let unknownReason: UInt8 = 255
    /// Far beyond any log's end: an offset shares a 64-bit word with its reason (`DeadLetterIndex`).
    static let maxOffset: Int64 = 1 << 55

    static func name(ofReason reason: UInt8) -> String {
        let all = DeadLetterReason.allCases
        return Int(reason) < all.count ? all[Int(reason)].rawValue : "unknown"
    }
}

/// Takes the headers of one dead letter and says where it belongs.
struct DeadLetterOriginReader {
    enum Origin: Equatable {
        case origin(DeadLetterOrigin)
        /// Of another raw topic, which may share the dead-letter topic with ours.
        case otherTopic
        /// No origin, or one that cannot be.
        case malformed
    }

    private let topic: [UInt8]
    private var foundTopic: Bool?
    private var partition: Int64?
    private var offset: Int64?
    private var reason = DeadLetterOrigin.unknownReason
    private var timestampMilliseconds: Int64?

    init(topic: String) { self.topic = Array(topic.utf8) }

    /// Forgets the record before.
    mutating func begin() {
        foundTopic = nil
        partition = nil
        offset = nil
        reason = DeadLetterOrigin.unknownReason
        timestampMilliseconds = nil
    }

    mutating func take(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        // Other names need not be looked at closely.
        guard name.starts(with: Self.prefix) else { return }
        if name.elementsEqual(DeadLetterHeader.originTopic.utf8) {
            foundTopic = value.map { $0.elementsEqual(topic) }
        } else if name.elementsEqual(DeadLetterHeader.originPartition.utf8) {
            partition = value.flatMap { Self.number($0, limit: Int64(Int32.max)) }
        } else if name.elementsEqual(DeadLetterHeader.originOffset.utf8) {
            offset = value.flatMap { Self.number($0, limit: DeadLetterOrigin.maxOffset) }
        } else if name.elementsEqual(DeadLetterHeader.reason.utf8) {
            reason = value.map(Self.reason) ?? DeadLetterOrigin.unknownReason
        } else if name.elementsEqual(DeadLetterHeader.originTimestamp.utf8) {
            timestampMilliseconds = value.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
        }
    }

    var origin: Origin {
        guard let foundTopic else { return .malformed }
        guard foundTopic else { return .otherTopic }
        guard let partition, let offset else { return .malformed }
        return .origin(
            DeadLetterOrigin(
                partition: Int32(partition), offset: offset, reason: reason,
                timestampMilliseconds: timestampMilliseconds))
    }

    private static let prefix = Array("router.".utf8)

    /// Decimal digits and nothing else, as the router writes them.
    private static func number(_ text: UnsafeRawBufferPointer, limit: Int64) -> Int64? {
        guard (1...19).contains(text.count) else { return nil }
        var number: Int64 = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = number.multipliedReportingOverflow(by: 10).partialValue &+ Int64(byte - UInt8(ascii: "0"))
            guard (0..<limit).contains(number) else { return nil }
        }
        return number
    }

    private static func reason(_ text: UnsafeRawBufferPointer) -> UInt8 {
        let index = DeadLetterReason.allCases.firstIndex { text.elementsEqual($0.rawValue.utf8) }
        return index.map { UInt8($0) } ?? DeadLetterOrigin.unknownReason
    }
}
