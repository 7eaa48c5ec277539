/// The fields of one accepted event, ready to be appended to a block.
///
/// The buffers point into the record or into the decoder's scratch memory and are valid until the decoder's next call.
public struct EventFields {
    public var eventID = UUID128(high: 0, low: 0)
    public var eventName = UnsafeRawBufferPointer(start: nil, count: 0)
    public var userID = UnsafeRawBufferPointer(start: nil, count: 0)
    public var sessionID = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Milliseconds since 1970, UTC.
    public var timestampMilliseconds: Int64 = 0
    /// One JSON object, byte for byte as the producer wrote it.
    public var eventProperties = UnsafeRawBufferPointer(start: nil, count: 0)
    /// One JSON object of the fields that have no column of their own.
    public var extraFields = UnsafeRawBufferPointer(start: nil, count: 0)

    public init() {}
}
