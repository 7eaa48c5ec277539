import Foundation

/// A setting's value after its rule has accepted the text.
enum SettingValue: Sendable, Equatable {
    case integer(Int)
    case boolean(Bool)
    case text(String)
}

/// What a setting's value may be. `allowed` says the rule to a person, `parse` applies it; both are in one place so
/// that an error message cannot promise what the check refuses.
enum SettingRule: Sendable {
    /// A whole number; `unit` is for the message only.
    case integer(ClosedRange<Int>, unit: String)
    case boolean
    /// One of these words in any case; the value becomes the word as it is written here.
    case choice([String])
    case brokers
    case topic
    case groupID
    case host
    /// A host, or the folder of a Unix-domain socket as libpq takes it.
    case hostOrSocketFolder
    case redisURL
    /// A file or folder that can be read, or empty for none.
    case readablePath
    /// A name of 1...maxBytes bytes without control characters.
    case name(maxBytes: Int)
    /// Any text up to maxBytes, or empty for none.
    case optionalText(maxBytes: Int)
    /// A key of at least minBytes, or empty for none.
    case key(minBytes: Int)

    var allowed: String {
        switch self {
        case .integer(let range, let unit):
            "a whole number from \(range.lowerBound) to \(range.upperBound)" + (unit.isEmpty ? "" : ", in \(unit)")
        case .boolean: "true or false (also 1, 0, yes, no)"
        case .choice(let words): "one of " + words.joined(separator: ", ")
        case .brokers: "host:port, or several with commas between (at most \(HostRules.maxBrokers))"
        case .topic: "1 to 249 characters out of a-z A-Z 0-9 . _ - (and neither . nor ..)"
        case .groupID: "1 to 255 bytes without control characters"
        case .host: "a host name or an IP address, without scheme and port"
        case .hostOrSocketFolder: "a host name, an IP address, or the path of a socket's folder"
        case .redisURL: "redis://[user:password@]host[:port][/database] (Redis over TLS, rediss://, is not supported)"
        case .readablePath: "the path of a file or folder that this process can read"
        case .name(let maxBytes): "1 to \(maxBytes) bytes without control characters"
        case .optionalText(let maxBytes): "at most \(maxBytes) bytes without NUL"
        case .key(let minBytes): "at least \(minBytes) bytes, or empty for none"
        }
    }

    func parse(_ text: String) -> SettingValue? {
        switch self {
        case .integer(let range, _): Self.integer(text, in: range).map(SettingValue.integer)
        case .boolean: Self.boolean(text).map(SettingValue.boolean)
        case .choice(let words):
            words.first { $0.caseInsensitiveCompare(text) == .orderedSame }.map(SettingValue.text)
        case .brokers: HostRules.isBrokerList(text) ? .text(text) : nil
        case .topic: Self.isTopic(text) ? .text(text) : nil
        case .groupID: Self.isName(text, maxBytes: 255) ? .text(text) : nil
        case .host: HostRules.isHost(text) ? .text(text) : nil
        case .hostOrSocketFolder:
            HostRules.isHost(text) || (text.hasPrefix("/") && Self.isName(text, maxBytes: 107)) ? .text(text) : nil
        case .redisURL: RedisAddress(text) != nil ? .text(text) : nil
        case .readablePath:
            text.isEmpty || (!text.contains("\0") && FileManager.default.isReadableFile(atPath: text))
                ? .text(text) : nil
        case .name(let maxBytes): Self.isName(text, maxBytes: maxBytes) ? .text(text) : nil
        case .optionalText(let maxBytes):
            text.utf8.count <= maxBytes && !text.utf8.contains(0) ? .text(text) : nil
        case .key(let minBytes):
            text.isEmpty || (minBytes...SecretFile.maxBytes).contains(text.utf8.count) ? .text(text) : nil
        }
    }

    /// Digits only: `Int.init` also takes a plus sign, which no other reader of these settings would.
    private static func integer(_ text: String, in range: ClosedRange<Int>) -> Int? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let value = Int(text), range.contains(value)
        else { return nil }
        return value
    }

    private static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes": true
        case "false", "0", "no": false
        default: nil
        }
    }

    /// Kafka's own rule (`org.apache.kafka.common.internals.Topic`).
    static func isTopic(_ text: String) -> Bool {
        guard (1...249).contains(text.utf8.count), text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { HostRules.isAlphanumeric($0) || "._-".utf8.contains($0) }
    }

    static func isName(_ text: String, maxBytes: Int) -> Bool {
        (1...maxBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
