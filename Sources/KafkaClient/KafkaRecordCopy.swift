import CRdkafka

/// One record copied out of librdkafka's memory, for who has to keep it longer than the batch it came in.
///
/// A message of librdkafka's holds more than itself: some 400 bytes beside the record, and the whole answer to the
/// fetch that it came with (its value is a view of it), up to `fetch.max.bytes`. One record that waits would keep
/// megabytes alive that nobody counts. A copy keeps `heldBytes`, and nothing of its batch or its consumer.
public final class KafkaRecordCopy {
    /// What the copy takes, with what malloc and Swift keep beside it.
    public let heldBytes: Int

    let topicName: String
    let timestampMilliseconds: Int64?
    let headers: Result<[KafkaHeader], KafkaError>
    /// A message of our own, followed by the bytes of the key and of the value. Only its documented members are set:
    /// librdkafka's functions must not be given it, since they look behind it for what only librdkafka allocates.
    private let message: UnsafeMutablePointer<rd_kafka_message_t>

    /// The object, its block and the text of the topic's name, with malloc's own words for each.
    private static let fixedBytes = 256
    /// An array's header and malloc's words, for each of a header's two arrays, and their places in the list.
    private static let bytesPerHeader = 112

    public init(_ record: KafkaRecord) {
        topicName = record.topic
        timestampMilliseconds = record.timestampMilliseconds
        headers = Result { () throws(KafkaError) in try record.copiedHeaders() }
        let (key, value) = (record.key, record.value)
        let payloadBytes = (key?.count ?? 0) + (value?.count ?? 0)
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<rd_kafka_message_t>.size + payloadBytes,
            alignment: MemoryLayout<rd_kafka_message_t>.alignment)
        message = block.bindMemory(to: rd_kafka_message_t.self, capacity: 1)
        message.initialize(to: rd_kafka_message_t())
        message.pointee.rkt = record.message.pointee.rkt
        message.pointee.partition = record.partition
        message.pointee.offset = record.offset
        var free = block + MemoryLayout<rd_kafka_message_t>.size
        message.pointee.key = Self.place(key, at: &free)
        message.pointee.key_len = key?.count ?? 0
        message.pointee.payload = Self.place(value, at: &free)
        message.pointee.len = value?.count ?? 0
        heldBytes =
            Self.fixedBytes + MemoryLayout<rd_kafka_message_t>.size + payloadBytes + topicName.utf8.count
            + Self.bytes(of: (try? headers.get()) ?? [])
    }

    /// A view of the copy, which is valid for as long as the copy lives.
    public var record: KafkaRecord { KafkaRecord(message: message, copy: self) }

    func forEachHeader(
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Void
    ) throws(KafkaError) {
        for header in try headers.get() {
            header.name.withUnsafeBytes { name in
                if let value = header.value {
                    value.withUnsafeBytes { body(name, $0) }
                } else {
                    body(name, nil)
                }
            }
        }
    }

    /// nil stays nil, and an empty buffer stays one that is not nil: a tombstone is no empty value.
    private static func place(
        _ bytes: UnsafeRawBufferPointer?, at free: inout UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer? {
        guard let bytes else { return nil }
        defer { free += bytes.count }
        if let start = bytes.baseAddress { free.copyMemory(from: start, byteCount: bytes.count) }
        return free
    }

    private static func bytes(of headers: [KafkaHeader]) -> Int {
        headers.reduce(0) { $0 + bytesPerHeader + $1.name.count + ($1.value?.count ?? 0) }
    }

    deinit { UnsafeMutableRawPointer(message).deallocate() }
}
