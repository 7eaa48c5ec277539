import CRdkafka

/// An idempotent producer with `acks=all`. One thread owns it and drives it; `wake` is signalled when there are
/// reports.
///
/// Each message ends in exactly one report, given by `poll` with the message's ticket. `message.timeout.ms` (300 s by
/// default, 0 for never) bounds how long librdkafka tries: after it a message is reported as `_MSG_TIMED_OUT`, which
/// is an *unknown* outcome when it was sent (`rd_kafka_message_status` "possibly persisted"): it may be in the log.
/// To wait out any outage set it to 0. Idempotence holds for one message over librdkafka's own retries, not for a
/// message that is produced again after its report.
public final class KafkaProducer {
    public let handle: KafkaHandle
    public let wake: WakeDescriptor

    private let inbox: Inbox
    private let queue: KafkaQueue
    /// One per topic name; the names come from settings, never from records, so they are few.
    private var topics: [String: OpaquePointer] = [:]

    final class Inbox {
        var reports: [Report] = []
        var errors: [KafkaError] = []
    }

    public struct Report: Equatable, Sendable {
        public var ticket: UInt64
        /// nil when every replica that has to acknowledges.
        public var error: KafkaError?

        public init(ticket: UInt64, error: KafkaError?) {
            self.ticket = ticket
            self.error = error
        }
    }

    static let forcedProperties: KafkaProperties = [
        "enable.idempotence": "true",
        "acks": "all",
        "statistics.interval.ms": "0",
        "log.queue": "false",
    ]

    public init(properties: KafkaProperties, wake: WakeDescriptor, log: @escaping KafkaLog) throws(KafkaError) {
        let inbox = Inbox()
        let callbacks = KafkaCallbacks(log: log)
        callbacks.error = { inbox.errors.append($0) }
        callbacks.delivery = { inbox.reports.append(Report(ticket: $0, error: $1)) }
        handle = try KafkaHandle(.producer, properties.merging(Self.forcedProperties), callbacks, wake: wake)
        guard let main = rd_kafka_queue_get_main(handle.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "cannot make the queue of a Kafka producer")
        }
        queue = KafkaQueue(main, of: handle, wake: wake)
        self.inbox = inbox
        self.wake = wake
    }

    /// Hands a message over; key, value and headers are copied. It does not wait.
    ///
    /// - Parameters:
    ///   - partition: nil lets the partitioner choose by the key.
    ///   - key: nil for no key, an empty buffer for an empty one; `value` likewise.
    ///   - timestampMilliseconds: nil for now.
    ///   - ticket: comes back with the report.
    /// - Throws: when the message was not taken, and there will be no report: `isQueueFull` (retriable: serve `poll`,
    ///   then again), `isMessageTooLarge` (above `message.max.bytes`), an unknown partition, or a fatal error.
    public func produce(
        topic: String, partition: Int32? = nil, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [KafkaHeader] = [], timestampMilliseconds: Int64? = nil, ticket: UInt64
    ) throws(KafkaError) {
        let topicHandle = try self.topicHandle(topic)
        let list = Self.headerList(headers)
        let answer = crd_produce(
            handle.pointer, topicHandle, partition ?? Int32(RD_KAFKA_PARTITION_UA), Self.start(key), key?.count ?? 0,
            Self.start(value), value?.count ?? 0, timestampMilliseconds ?? 0, list,
            UnsafeMutableRawPointer(bitPattern: UInt(ticket)))
        guard answer != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        if let list { rd_kafka_headers_destroy(list) }
        throw KafkaError(answer, "cannot produce to \(topic)")
    }

    /// The same with arrays.
    public func produce(
        topic: String, partition: Int32? = nil, key: [UInt8]?, value: [UInt8]?, headers: [KafkaHeader] = [],
        timestampMilliseconds: Int64? = nil, ticket: UInt64
    ) throws(KafkaError) {
        func produce(_ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?) -> KafkaError? {
            do {
                try self.produce(
                    topic: topic, partition: partition, key: key, value: value, headers: headers,
                    timestampMilliseconds: timestampMilliseconds, ticket: ticket)
                return nil
            } catch { return error }
        }
        let error = (key ?? []).withUnsafeBytes { keyBytes in
            (value ?? []).withUnsafeBytes { valueBytes in
                produce(key == nil ? nil : keyBytes, value == nil ? nil : valueBytes)
            }
        }
        if let error { throw error }
    }

    /// librdkafka takes a null pointer for "none", and an empty Swift buffer may have one.
    private static func start(_ bytes: UnsafeRawBufferPointer?) -> UnsafeRawPointer? {
        guard let bytes else { return nil }
        return bytes.baseAddress ?? emptyBytes
    }

    /// Never read: it stands for the address of zero bytes. Immutable and alive for the whole program, hence
    /// `nonisolated(unsafe)`.
    nonisolated(unsafe) private static let emptyBytes = UnsafeRawPointer(
        UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))

    private static func headerList(_ headers: [KafkaHeader]) -> OpaquePointer? {
        guard !headers.isEmpty else { return nil }
        let list = rd_kafka_headers_new(headers.count)
        for header in headers {
            header.name.withUnsafeBytes { name in
                (header.value ?? []).withUnsafeBytes { value in
                    let start = header.value == nil ? nil : Self.start(value)
                    // Both are copied. The size of the name is given, so it needs no zero at its end.
                    _ = rd_kafka_header_add(
                        list, Self.start(name)?.assumingMemoryBound(to: CChar.self), name.count, start, value.count)
                }
            }
        }
        return list
    }

    private func topicHandle(_ name: String) throws(KafkaError) -> OpaquePointer {
        if let known = topics[name] { return known }
        guard let topic = rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw KafkaError(rd_kafka_last_error(), "cannot produce to the topic '\(name)'")
        }
        topics[name] = topic
        return topic
    }

    /// Serves the producer and returns the reports that have come, in the order in which they came. It does not wait.
    public func poll() -> [Report] {
        rd_kafka_poll(handle.pointer, 0)
        guard !inbox.reports.isEmpty else { return [] }
        defer { inbox.reports.removeAll(keepingCapacity: true) }
        return inbox.reports
    }

    /// Errors that belong to no message: brokers away, authentication, and fatal ones, after which every `produce`
    /// fails.
    public func takeErrors() -> [KafkaError] {
        defer { inbox.errors.removeAll() }
        return inbox.errors
    }

    /// Messages without a report yet, in the queue or under way, and reports not served.
    public var outstandingMessages: Int { Int(rd_kafka_outq_len(handle.pointer)) }

    /// Waits until every message has its report; take them with `poll` afterwards.
    /// - Returns: false when the time was over first.
    @discardableResult
    public func flush(timeoutMilliseconds: Int) -> Bool {
        rd_kafka_flush(handle.pointer, Int32(clamping: timeoutMilliseconds)) == RD_KAFKA_RESP_ERR_NO_ERROR
    }

    deinit {
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
    }
}
