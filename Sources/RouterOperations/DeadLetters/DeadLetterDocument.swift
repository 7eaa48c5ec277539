import Foundation
import KafkaClient
import RouterCore

/// One dead letter as `list`, `show` and `export` print it. `topic`, `partition`, `offset` and `timestamp` are the origin's.
public struct DeadLetterDocument: Encodable, Sendable {
    /// Text where the bytes are UTF-8, else their base64.
    public struct Bytes: Encodable, Sendable, Equatable {
        public var text: String?
        public var base64: String?

        init(_ bytes: some Sequence<UInt8>) {
            let bytes = Array(bytes)
            text = String(validating: bytes, as: UTF8.self)
            if text == nil { base64 = Data(bytes).base64EncodedString() }
        }
    }

    public struct Header: Encodable, Sendable {
        public var name: String
        public var value: Bytes?
    }

    public struct Place: Encodable, Sendable {
        public var topic: String
        public var partition: Int32
        public var offset: Int64
    }

    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// RFC 3339; nil where the record had none.
    public var timestamp: String?
    public var reason: String
    public var detail: String
    public var state: DeadLetterState
    /// Whose it is; nil where no key was verified.
    public var clientID: String?
    public var failedAt: String?
    /// As the router counted it; replays count on in `replayAttempts`.
    public var attempt: Int?
    public var replayAttempts: Int?
    public var valueBytes: Int?
    public var key: Bytes?
    public var value: Bytes?
    /// The record's own headers.
    public var headers: [Header]
    public var deadLetter: Place

    enum CodingKeys: String, CodingKey {
        case topic, partition, offset, timestamp, reason, detail, state, attempt, key, value, headers
        case clientID = "client_id"
        case failedAt = "failed_at"
        case replayAttempts = "replay_attempts"
        case valueBytes = "value_bytes"
        case deadLetter = "dead_letter"
    }

    /// nil when it names no origin.
    init?(_ record: KafkaRecord, _ read: DeadLetterHeaders, deadLetterTopic: String, state: DeadLetterState) {
        guard case .origin(let origin) = read.origin else { return nil }
        let all = (try? record.copiedHeaders()) ?? []
        let own = DeadLetterHeaders.ownCount(all)
        func last(_ name: String) -> String? {
            all.last { $0.name.elementsEqual(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
        }
        topic = last(DeadLetterHeader.originTopic) ?? ""
        partition = origin.partition
        offset = origin.offset
        timestamp = read.originTimestampMilliseconds.flatMap { TimeText.rfc3339(milliseconds: $0) }
        reason = DeadLetterOrigin.name(ofReason: origin.reason)
        detail = last(DeadLetterHeader.detail) ?? ""
        self.state = state
        clientID = read.verifiedClient?.description
        failedAt = TimeText.rfc3339(milliseconds: read.failedAtMilliseconds)
        attempt = last(DeadLetterHeader.attempt).flatMap { Int($0) }
        valueBytes = record.value?.count
        key = record.key.map { Bytes($0) }
        value = record.value.map { Bytes($0) }
        headers = all[..<own].map {
            Header(name: String(decoding: $0.name, as: UTF8.self), value: $0.value.map { Bytes($0) })
        }
        deadLetter = Place(topic: deadLetterTopic, partition: record.partition, offset: record.offset)
    }

    /// Without what is large or secret: for a list.
    public var summary: DeadLetterDocument {
        var summary = self
        summary.key = nil
        summary.value = nil
        summary.headers = []
        return summary
    }

    /// Whoever has a key's hash can send in that client's name: every 64 hex digits are put out of sight.
    public var masked: DeadLetterDocument {
        var masked = self
        masked.key = key.map(Self.masked)
        masked.value = value.map(Self.masked)
        masked.headers = headers.map { Header(name: $0.name, value: $0.value.map(Self.masked)) }
        return masked
    }

    private static func masked(_ bytes: Bytes) -> Bytes {
        guard let text = bytes.text else { return bytes }
        var masked = bytes
        masked.text = text.replacing(#/[0-9A-Fa-f]{64}/#, with: String(repeating: "*", count: 64))
        return masked
    }

    /// The value as one line of text, which `router send --file` takes; nil where it has none, or cannot be one line.
    public var line: String? {
        guard let text = value?.text else { return nil }
        guard text.utf8.contains(0x0A) || text.utf8.contains(0x0D) else { return text }
        // Inside of JSON's strings there are no line feeds; between values they are blanks.
        guard JSONText.isDocument(text) else { return nil }
        return String(decoding: text.utf8.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }, as: UTF8.self)
    }

    /// Label and text, for a terminal.
    public var fields: [(String, String)] {
        var fields = [
            ("Origin", "\(topic)/\(partition)/\(offset)"), ("Time", timestamp ?? "-"), ("State", state.rawValue),
            ("Reason", reason), ("Detail", detail), ("Client", clientID ?? "not verified"),
            ("Failed at", failedAt ?? "-"),
            ("Attempts", "\(attempt ?? 1) by the router, \(replayAttempts ?? 0) replays in vain"),
            ("Dead letter", "\(deadLetter.topic)/\(deadLetter.partition)/\(deadLetter.offset)"),
            ("Key", key.map(Self.text) ?? "-"),
        ]
        for header in headers { fields.append(("Header", "\(header.name): \(header.value.map(Self.text) ?? "-")")) }
        fields.append(("Value", value.map(Self.text) ?? "-"))
        return fields
    }

    private static func text(_ bytes: Bytes) -> String { bytes.text ?? "base64 \(bytes.base64 ?? "")" }
}

extension JSONText {
    static func isDocument(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isDocument(UnsafeRawBufferPointer($0)) }
    }
}

/// What `dlq list --json` prints.
public struct DeadLetterListDocument: Encodable, Sendable {
    /// How many the filters choose, with those beyond the limit.
    public var total: Int
    public var deadLetters: [DeadLetterDocument]

    public init(total: Int, deadLetters: [DeadLetterDocument]) {
        self.total = total
        self.deadLetters = deadLetters
    }

    enum CodingKeys: String, CodingKey {
        case total
        case deadLetters = "dead_letters"
    }

    public var table: TextTable {
        var table = TextTable([
            .init("ORIGIN", maxWidth: 18), .init("FAILED AT", maxWidth: 20), .init("STATE", maxWidth: 9),
            .init("REASON", maxWidth: 23), .init("DETAIL", maxWidth: 22),
        ])
        for letter in deadLetters {
            table.add([
                "\(letter.partition)/\(letter.offset)", String((letter.failedAt ?? "").prefix(19)),
                letter.state.rawValue,
                letter.reason, TextTable.oneLine(letter.detail),
            ])
        }
        return table
    }
}
