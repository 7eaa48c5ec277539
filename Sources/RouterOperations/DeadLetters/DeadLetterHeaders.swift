import KafkaClient
import RouterCore

/// What the headers of one dead letter say. The topic is the router's alone to write, but nothing here is taken for
/// granted: a header that cannot be read counts as missing, and the *last* one of a name is the router's.
struct DeadLetterHeaders {
    private(set) var origin = DeadLetterOriginReader.Origin.malformed
    /// Only where the router verified the client's key.
    private(set) var verifiedClient: ClientID?
    /// Milliseconds since 1970; the record's own timestamp where the header is missing.
    private(set) var failedAtMilliseconds: Int64 = 0
    /// The value did not fit into the topic.
    private(set) var isWithoutValue = false

    private var reader: DeadLetterOriginReader

    init(topic: String) { reader = DeadLetterOriginReader(topic: topic) }

    mutating func read(_ record: KafkaRecord) {
        reader.begin()
        verifiedClient = nil
        isWithoutValue = false
        var failedAt: Int64?
        // A header block that does not parse is a dead letter without an origin.
        try? record.forEachHeader { name, value in
            reader.take(name: name, value: value)
            guard name.starts(with: Self.prefix) else { return }
            if name.elementsEqual(DeadLetterHeader.clientID.utf8) {
                verifiedClient = value.flatMap { ClientID(text: $0) }
            } else if name.elementsEqual(DeadLetterHeader.failedAt.utf8) {
                failedAt = value.flatMap { RFC3339.milliseconds($0) }
            } else if name.elementsEqual(DeadLetterHeader.valueSHA256.utf8) {
                isWithoutValue = record.value == nil
            }
        }
        failedAtMilliseconds = failedAt ?? record.timestampMilliseconds ?? 0
        origin = reader.origin
    }

    /// Kafka's timestamp of the origin; nil when it had none.
    var originTimestampMilliseconds: Int64? {
        if case .origin(let origin) = origin { origin.timestampMilliseconds } else { nil }
    }

    private static let prefix = Array("router.".utf8)

    /// How many of the headers, from the first, are the record's own: the router's begin with its reason.
    static func ownCount(_ headers: [KafkaHeader]) -> Int {
        headers.lastIndex { $0.name.elementsEqual(DeadLetterHeader.reason.utf8) } ?? headers.count
    }
}
