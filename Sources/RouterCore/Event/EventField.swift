/// The top-level fields that have a meaning of their own, in the order in which they are judged.
enum EventField: Int, CaseIterable {
    case clientID
    case apiKeyHash
    case eventName
    case eventID
    case userID
    case sessionID
    case timestamp
    case eventProperties

    var name: StaticString {
        switch self {
        case .clientID: "client_id"
        case .apiKeyHash: "api_key_hash"
        case .eventName: "event_name"
        case .eventID: "event_id"
        case .userID: "user_id"
        case .sessionID: "session_id"
        case .timestamp: "timestamp"
        case .eventProperties: "event_properties"
        }
    }

    /// Length of the longest name, `event_properties`.
    static let maxNameBytes = 16

    /// The field that a decoded key names; nil for any other key.
    @inline(__always)
    static func named(_ key: UnsafeRawBufferPointer) -> EventField? {
        guard let text = key.baseAddress else { return nil }
        switch key.count {
        case 7: return equal(text, "user_id") ? .userID : nil
        case 8: return equal(text, "event_id") ? .eventID : nil
        case 9: return equal(text, "client_id") ? .clientID : equal(text, "timestamp") ? .timestamp : nil
        case 10: return equal(text, "event_name") ? .eventName : equal(text, "session_id") ? .sessionID : nil
        case 12: return equal(text, "api_key_hash") ? .apiKeyHash : nil
        case 16: return equal(text, "event_properties") ? .eventProperties : nil
        default: return nil
        }
    }

    /// Compares two texts of the same length, 7 to 16 bytes, with two loads each that may overlap; the compiler makes
    /// constants of those of `name`.
    @inline(__always)
    private static func equal(_ text: UnsafeRawPointer, _ name: StaticString) -> Bool {
        let other = UnsafeRawPointer(name.utf8Start)
        let length = name.utf8CodeUnitCount
        if length < 8 {
            return text.loadUnaligned(as: UInt32.self) == other.loadUnaligned(as: UInt32.self)
                && text.loadUnaligned(fromByteOffset: length - 4, as: UInt32.self)
                    == other.loadUnaligned(fromByteOffset: length - 4, as: UInt32.self)
        }
        return text.loadUnaligned(as: UInt64.self) == other.loadUnaligned(as: UInt64.self)
            && text.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
                == other.loadUnaligned(fromByteOffset: length - 8, as: UInt64.self)
    }
}

/// Where a known field's value stands in the record.
struct EventSlot {
    enum Kind: UInt8 {
        case absent
        case null
        case bool
        case number
        case string
        case array
        case object
    }

    /// Offsets in the record's value, the quotes of a string included.
    var start = 0
    var end = 0
    var kind = Kind.absent
    /// The string holds escape sequences, so its bytes are not its characters.
    var isEscaped = false
    /// The field was given more than once: readers could disagree about its value, so it has none.
    var isRepeated = false

    /// Absent or `null`. A field that is given twice is not missing, whatever its values are.
    var isMissing: Bool { !isRepeated && (kind == .absent || kind == .null) }
}

extension EventSlot.Kind {
    /// The kind of a value that the scanner has accepted, by its first byte.
    @inline(__always)
    init(firstByte: UInt8) {
        switch firstByte {
        case UInt8(ascii: "\""): self = .string
        case UInt8(ascii: "{"): self = .object
        case UInt8(ascii: "["): self = .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): self = .bool
        case UInt8(ascii: "n"): self = .null
        default: self = .number
        }
    }

    /// As it is called in a sentence.
    var noun: String {
        switch self {
        case .absent: "nothing"
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
