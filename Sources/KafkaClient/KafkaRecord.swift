import CRdkafka
import Glibc

/// Which topic a record is of, without its name: equal for the records of one topic of one handle.
public struct KafkaTopicID: Hashable, Sendable {
    let address: UInt
}

/// A view of one record in librdkafka's memory. It, and every buffer that it hands out, is valid only until its batch
/// is filled again, emptied or freed: copy what has to stay (`KafkaRecordCopy`, of which it may be a view, too).
public struct KafkaRecord {
    let message: UnsafeMutablePointer<rd_kafka_message_t>
    /// Set where the message is a copy's own, which librdkafka's functions know nothing of.
    private let unmanagedCopy: Unmanaged<KafkaRecordCopy>?

    init(message: UnsafeMutablePointer<rd_kafka_message_t>, copy: KafkaRecordCopy? = nil) {
        self.message = message
        // Not counted: a view is made for each record of the hot path. `unowned(unsafe)` would say the same, but then
        // Swift 6.2 does not see the end of an iteration over records (it takes an Optional's nil for a record).
        unmanagedCopy = copy.map { Unmanaged.passUnretained($0) }
    }

    private var copy: KafkaRecordCopy? { unmanagedCopy?.takeUnretainedValue() }

    /// nil for a tombstone; an empty value is an empty buffer.
    public var value: UnsafeRawBufferPointer? {
        guard let start = message.pointee.payload else { return nil }
        return UnsafeRawBufferPointer(start: start, count: message.pointee.len)
    }

    /// nil when there is none; an empty key is an empty buffer.
    public var key: UnsafeRawBufferPointer? {
        guard let start = message.pointee.key else { return nil }
        return UnsafeRawBufferPointer(start: start, count: message.pointee.key_len)
    }

    public var partition: Int32 { message.pointee.partition }
    public var offset: Int64 { message.pointee.offset }

    /// Milliseconds since 1970; nil when the record carries none.
    public var timestampMilliseconds: Int64? {
        if let copy { return copy.timestampMilliseconds }
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = rd_kafka_message_timestamp(message, &type)
        // rd_kafka_message_timestamp(3): "or -1 if the timestamp is not available". A producer that sent none has written
        // that -1 (NO_TIMESTAMP) into the record itself, and librdkafka then says "create time" of it.
        return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp == -1 ? nil : timestamp
    }

    public var topicID: KafkaTopicID { KafkaTopicID(address: UInt(bitPattern: message.pointee.rkt)) }

    /// The topic's name, a new String each time: compare `topicID` in the hot path.
    public var topic: String { copy?.topicName ?? String(cString: rd_kafka_topic_name(message.pointee.rkt)) }

    public var topicPartition: TopicPartition { TopicPartition(topic: topic, partition: partition) }

    /// Calls `body` for each header in its order, the name as bytes and nil for a null value, nothing copied.
    ///
    /// The headers are parsed at the first call; a record without any costs no allocation.
    /// - Throws: when the header block of the record is damaged.
    public func forEachHeader(
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Void
    ) throws(KafkaError) {
        if let copy { return try copy.forEachHeader(body) }
        var headers: OpaquePointer?
        let answer = rd_kafka_message_headers(message, &headers)
        if answer == RD_KAFKA_RESP_ERR__NOENT { return }
        if let error = KafkaError.unlessNone(answer, "cannot read the headers of \(topicPartition) offset \(offset)") {
            throw error
        }
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var valueBytes = 0
        while rd_kafka_header_get_all(headers, index, &name, &value, &valueBytes) == RD_KAFKA_RESP_ERR_NO_ERROR {
            index += 1
            guard let name else { continue }
            body(
                UnsafeRawBufferPointer(start: name, count: strlen(name)),
                value.map { UnsafeRawBufferPointer(start: $0, count: valueBytes) })
        }
    }

    /// A copy of the headers, to go with a copy of the record.
    public func copiedHeaders() throws(KafkaError) -> [KafkaHeader] {
        var headers: [KafkaHeader] = []
        try forEachHeader { headers.append(KafkaHeader(name: Array($0), value: $1.map { Array($0) })) }
        return headers
    }
}

/// One header of a record to produce, or a copy of one consumed.
public struct KafkaHeader: Equatable, Sendable {
    /// The name's bytes: Kafka means UTF-8, but nothing checks it. librdkafka ends a name at a zero byte when it reads.
    public var name: [UInt8]
    public var value: [UInt8]?

    public init(name: [UInt8], value: [UInt8]?) {
        self.name = name
        self.value = value
    }

    public init(_ name: String, _ value: String?) {
        self.init(name: Array(name.utf8), value: value.map { Array($0.utf8) })
    }
}

/// Records as a poll delivered them, the one owner of their memory: each is freed once, when the batch is filled again,
/// emptied or freed. Reuse one batch for the life of a consumer. Not thread-safe: it belongs to the polling thread.
public final class KafkaRecordBatch {
    public let capacity: Int
    private var messages: [UnsafeMutablePointer<rd_kafka_message_t>] = []
    /// Messages point into the handle: it must not be destroyed before them.
    private var handle: KafkaHandle?

    public init(capacity: Int) {
        precondition(capacity > 0, "a batch holds at least one record")
        self.capacity = capacity
        messages.reserveCapacity(capacity)
    }

    public var count: Int { messages.count }
    public var isEmpty: Bool { messages.isEmpty }
    public var isFull: Bool { messages.count >= capacity }

    public subscript(index: Int) -> KafkaRecord { KafkaRecord(message: messages[index]) }

    /// Frees every record.
    public func removeAll() {
        for message in messages { rd_kafka_message_destroy(message) }
        messages.removeAll(keepingCapacity: true)
        handle = nil
    }

    func begin(_ handle: KafkaHandle) {
        removeAll()
        self.handle = handle
    }

    /// Takes the message over.
    func append(_ message: UnsafeMutablePointer<rd_kafka_message_t>) { messages.append(message) }

    deinit { removeAll() }
}

extension KafkaRecordBatch: Sequence {
    public func makeIterator() -> AnyIterator<KafkaRecord> {
        var index = 0
        return AnyIterator {
            guard index < self.count else { return nil }
            defer { index += 1 }
            return self[index]
        }
    }
}
