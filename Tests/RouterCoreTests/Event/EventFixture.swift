import Glibc
import RouterCore

/// Memory that ends at a page nobody may touch: a decoder that reads one byte too many crashes the test.
final class GuardedMemory {
    private let base: UnsafeMutableRawPointer
    private let usableBytes: Int
    private let mappedBytes: Int

    init(capacity: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        usableBytes = (capacity + page - 1) / page * page
        mappedBytes = usableBytes + page
        guard let base = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            base != MAP_FAILED, mprotect(base + usableBytes, page, PROT_NONE) == 0
        else { fatalError("no memory to test with") }
        self.base = base
    }

    deinit {
        munmap(base, mappedBytes)
    }

    /// `bytes`, placed so that the next byte is out of bounds.
    func place(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        precondition(bytes.count <= usableBytes)
        let target = UnsafeMutableRawBufferPointer(start: base + usableBytes - bytes.count, count: bytes.count)
        target.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(target)
    }
}

/// An accepted event, copied out of the decoder's memory.
struct DecodedEvent: Equatable {
    var client: UUID128
    var keyHashHex: String
    var eventID: UUID128
    var eventName: [UInt8]
    var userID: [UInt8]
    var sessionID: [UInt8]
    var timestampMilliseconds: Int64
    var eventProperties: [UInt8]
    var extraFields: [UInt8]
}

enum Verdict: Equatable {
    case accepted(DecodedEvent)
    case refused(Refusal)

    var reason: DeadLetterReason? {
        if case .refused(let refusal) = self { refusal.reason } else { nil }
    }

    var detail: String? {
        if case .refused(let refusal) = self { refusal.detail } else { nil }
    }

    var event: DecodedEvent? {
        if case .accepted(let event) = self { event } else { nil }
    }
}

/// A record as a test writes it down; the defaults are those of a record that is accepted.
struct TestRecord {
    static let clientText = "0f8fad5b-d9cb-469f-a165-70867728950e"
    static let keyHashText = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    /// 2026-01-31T12:00:00Z.
    static let timestamp: Int64 = 1_769_860_800_000
    static let credentials = "\"client_id\":\"\(clientText)\",\"api_key_hash\":\"\(keyHashText)\""

    var value: [UInt8]?
    var partition: Int32 = 3
    var offset: Int64 = 42
    var timestampMilliseconds: Int64? = TestRecord.timestamp
    var clientIDHeader: String?
    var apiKeyHashHeader: String?
    var hasRepeatedCredentialHeader = false
    var maxEventBytes = 1 << 20
    var topic = "shared_raw_events"

    init(value: [UInt8]?) { self.value = value }

    init(_ json: String) { self.init(value: Array(json.utf8)) }

    /// An event with credentials and a name; `members` (text such as `"a":1`) are added behind them.
    static func event(_ members: String...) -> TestRecord {
        TestRecord("{" + ([credentials, "\"event_name\":\"page_view\""] + members).joined(separator: ",") + "}")
    }

    /// An event with credentials and only these members.
    static func bare(_ members: String...) -> TestRecord {
        TestRecord("{" + ([credentials] + members).joined(separator: ",") + "}")
    }

    func with(_ change: (inout TestRecord) -> Void) -> TestRecord {
        var copy = self
        change(&copy)
        return copy
    }

    /// Both halves of the decoder, as the service calls them for a client that is known, active and has the right key.
    func judged() -> Verdict {
        var decoder = EventDecoder(topic: topic, maxEventBytes: maxEventBytes)
        let memory = value.map { GuardedMemory(capacity: max(1, $0.count)) }
        return judged(by: &decoder, in: memory)
    }

    func judged(by decoder: inout EventDecoder, in memory: GuardedMemory?) -> Verdict {
        let headers = [clientIDHeader, apiKeyHashHeader].map { text in
            text.map { text in
                let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
                copy.copyBytes(from: Array(text.utf8))
                return UnsafeRawBufferPointer(copy)
            }
        }
        defer { for header in headers { header?.deallocate() } }
        let placed = value.flatMap { bytes in memory.map { $0.place(bytes) } }
        let record = RecordView(
            value: placed, partition: partition, offset: offset, timestampMilliseconds: timestampMilliseconds,
            clientIDHeader: headers[0], apiKeyHashHeader: headers[1],
            hasRepeatedCredentialHeader: hasRepeatedCredentialHeader)
        switch decoder.open(record) {
        case .refused(let refusal): return .refused(refusal)
        case .credentials(let client, let keyHash):
            var fields = EventFields()
            if let refusal = decoder.finish(record, into: &fields) { return .refused(refusal) }
            return .accepted(
                DecodedEvent(
                    client: client, keyHashHex: keyHash.hex, eventID: fields.eventID,
                    eventName: Array(fields.eventName), userID: Array(fields.userID),
                    sessionID: Array(fields.sessionID), timestampMilliseconds: fields.timestampMilliseconds,
                    eventProperties: Array(fields.eventProperties), extraFields: Array(fields.extraFields)))
        }
    }
}

func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
