/// Where a record came from.
public struct RecordOrigin: Hashable, Sendable {
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// Kafka's own timestamp in milliseconds since 1970, nil when the record has none.
    public var timestampMilliseconds: Int64?

    public init(topic: String, partition: Int32, offset: Int64, timestampMilliseconds: Int64?) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestampMilliseconds = timestampMilliseconds
    }
}

/// One Kafka header; a null value is not an empty one. The name is bytes: nothing checks that a producer's is UTF-8.
public struct RecordHeader: Equatable, Sendable {
    public var name: [UInt8]
    public var value: [UInt8]?

    public init(name: [UInt8], value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    init(_ name: String, text: String) {
        self.init(name: Array(name.utf8), value: Array(text.utf8))
    }
}

/// A record that did not become a row: the original, untouched, and why.
public struct DeadLetter: Sendable {
    public var key: [UInt8]?
    public var value: [UInt8]?
    /// The record's own headers, in their order.
    public var headers: [RecordHeader]
    public var origin: RecordOrigin
    public var refusal: Refusal
    /// Only once the client's key was verified: an unproven id must not be counted against a client.
    public var verifiedClient: ClientID?
    /// 1 at first, one more for each replay that failed.
    public var attempt: Int

    public init(
        key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader], origin: RecordOrigin, refusal: Refusal,
        verifiedClient: ClientID? = nil, attempt: Int = 1
    ) {
        self.key = key
        self.value = value
        self.headers = headers
        self.origin = origin
        self.refusal = refusal
        self.verifiedClient = verifiedClient
        self.attempt = attempt
    }

    /// What it occupies in memory while it waits for Kafka's acknowledgement.
    public var bodyBytes: Int {
        headers.reduce((key?.count ?? 0) + (value?.count ?? 0) + 512) {
            $0 + $1.name.count + ($1.value?.count ?? 0)
        }
    }
}

/// The names of the headers that a dead letter carries beside the record's own.
public enum DeadLetterHeader {
    public static let reason = "router.reason"
    public static let detail = "router.detail"
    public static let clientID = "router.client_id"
    public static let failedAt = "router.failed_at"
    public static let attempt = "router.attempt"
    public static let originTopic = "router.origin.topic"
    public static let originPartition = "router.origin.partition"
    public static let originOffset = "router.origin.offset"
    public static let originTimestamp = "router.origin.timestamp"
    // Of a dead letter that the topic refused for its size and that went without a part of its record.
    public static let valueBytes = "router.value_bytes"
    public static let valueSHA256 = "router.value_sha256"
    public static let headersBytes = "router.headers_bytes"
    public static let headersSHA256 = "router.headers_sha256"
    public static let keyBytes = "router.key_bytes"
    public static let keySHA256 = "router.key_sha256"
}

extension DeadLetter {
    /// Kafka Connect's own `errors.deadletterqueue.context.headers`, whose values are text.
    static let connectPrefix = "__connect.errors."

    /// The record's own headers, then ours. A producer may have written a `router.reason` of its own, so a reader takes the
    /// *last* header of a name.
    ///
    /// - Parameters:
    ///   - failedAt: RFC 3339 text of now.
    ///   - connector: the name of the consumer group, as Connect would say its connector's name.
    public func allHeaders(failedAt: String, connector: String) -> [RecordHeader] {
        var all = headers
        func add(_ name: String, _ text: String) { all.append(RecordHeader(name, text: text)) }
        add(DeadLetterHeader.reason, refusal.reason.rawValue)
        add(DeadLetterHeader.detail, refusal.detail)
        if let verifiedClient { add(DeadLetterHeader.clientID, verifiedClient.description) }
        add(DeadLetterHeader.failedAt, failedAt)
        add(DeadLetterHeader.attempt, String(attempt))
        add(DeadLetterHeader.originTopic, origin.topic)
        add(DeadLetterHeader.originPartition, String(origin.partition))
        add(DeadLetterHeader.originOffset, String(origin.offset))
        if let timestamp = origin.timestampMilliseconds { add(DeadLetterHeader.originTimestamp, String(timestamp)) }
        add(Self.connectPrefix + "topic", origin.topic)
        add(Self.connectPrefix + "partition", String(origin.partition))
        add(Self.connectPrefix + "offset", String(origin.offset))
        add(Self.connectPrefix + "connector.name", connector)
        add(Self.connectPrefix + "stage", refusal.reason.connectStage)
        add(Self.connectPrefix + "exception.class.name", "router." + refusal.reason.rawValue)
        add(Self.connectPrefix + "exception.message", refusal.detail)
        return all
    }
}

extension DeadLetterReason {
    /// The stage of Kafka Connect that comes nearest: reading the value, judging it, or writing it.
    var connectStage: String {
        switch self {
        case .malformedJSON, .notAnObject, .emptyPayload, .payloadTooLarge: "VALUE_CONVERTER"
        case .missingField, .invalidField, .timestampOutOfRange, .unknownClient, .invalidAPIKey, .clientNotActive:
            "TRANSFORMATION"
        case .destinationRejected, .destinationUnavailable: "TASK_PUT"
        }
    }
}
