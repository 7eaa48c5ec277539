/// One Kafka record as librdkafka holds it: views into memory that stays valid only while the record is held.
///
/// It never outlives the call it is passed to; what has to stay is copied (into a block, or into a dead letter).
public struct RecordView {
    /// The record's value; nil for a tombstone.
    public var value: UnsafeRawBufferPointer?
    public var partition: Int32
    public var offset: Int64
    /// Kafka's own timestamp in milliseconds since 1970; nil when the record has none.
    public var timestampMilliseconds: Int64?
    /// The header `client_id`, nil when there is none. A header with a null value is an empty buffer.
    public var clientIDHeader: UnsafeRawBufferPointer?
    /// The header `api_key_hash`, nil when there is none.
    public var apiKeyHashHeader: UnsafeRawBufferPointer?
    /// True when one of the two credential headers is given more than once.
    public var hasRepeatedCredentialHeader: Bool

    public init(
        value: UnsafeRawBufferPointer?, partition: Int32, offset: Int64, timestampMilliseconds: Int64?,
        clientIDHeader: UnsafeRawBufferPointer? = nil, apiKeyHashHeader: UnsafeRawBufferPointer? = nil,
        hasRepeatedCredentialHeader: Bool = false
    ) {
        self.value = value
        self.partition = partition
        self.offset = offset
        self.timestampMilliseconds = timestampMilliseconds
        self.clientIDHeader = clientIDHeader
        self.apiKeyHashHeader = apiKeyHashHeader
        self.hasRepeatedCredentialHeader = hasRepeatedCredentialHeader
    }
}
