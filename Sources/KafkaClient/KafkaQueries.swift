import CRdkafka

/// Questions that wait for a broker's answer. Any thread may ask them, but not the one that drives the pipeline.
public final class KafkaQueries: Sendable {
    public let handle: KafkaHandle

    public init(_ handle: KafkaHandle) {
        self.handle = handle
    }

    /// A handle of its own, that joins no group. `group.id` is needed only for `committed`.
    public convenience init(properties: KafkaProperties, log: @escaping KafkaLog) throws(KafkaError) {
        var properties = properties
        properties["group.instance.id"] = nil
        properties["enable.auto.commit"] = "false"
        self.init(try KafkaHandle(.consumer, properties, KafkaCallbacks(log: log), wake: nil))
    }

    public struct Committed: Equatable, Sendable {
        public var partition: TopicPartition
        /// nil when nothing is committed.
        public var offset: Int64?
        /// nil when it is empty: Kafka does not tell the two apart.
        public var metadata: String?
        public var error: KafkaError?

        public init(partition: TopicPartition, offset: Int64?, metadata: String?, error: KafkaError? = nil) {
            self.partition = partition
            self.offset = offset
            self.metadata = metadata
            self.error = error
        }
    }

    /// What is committed for the group of this handle.
    public func committed(
        _ partitions: [TopicPartition], timeoutMilliseconds: Int
    ) throws(KafkaError) -> [Committed] {
        let list = PartitionList(partitions)
        let timeout = Int32(clamping: timeoutMilliseconds)
        let answer = list.lend { rd_kafka_committed(handle.pointer, $0, timeout) }
        if let error = KafkaError.unlessNone(answer, "cannot read the committed offsets of \(partitions)") {
            throw error
        }
        return list.map {
            Committed(
                partition: $0.topicPartition, offset: $0.offset >= 0 ? $0.offset : nil, metadata: $0.metadataText,
                error: KafkaError.unlessNone($0.err, "committed offset of \($0.topicPartition)"))
        }
    }

    /// The log's start and end (the offset that the next record will get), asked of the leader.
    public func watermarks(
        _ partition: TopicPartition, timeoutMilliseconds: Int
    ) throws(KafkaError) -> (low: Int64, high: Int64) {
        var low: Int64 = 0
        var high: Int64 = 0
        let answer = rd_kafka_query_watermark_offsets(
            handle.pointer, partition.topic, partition.partition, &low, &high, Int32(clamping: timeoutMilliseconds))
        if let error = KafkaError.unlessNone(answer, "cannot read the watermarks of \(partition)") { throw error }
        return (low, high)
    }

    /// The end of each log (the offset that the next record will get): one request to each leader, however many partitions
    /// it leads. Partitions whose leader answered with an error are left out; one without a leader fails the question.
    public func ends(
        _ partitions: [TopicPartition], timeoutMilliseconds: Int
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let list = PartitionList(capacity: partitions.count)
        // ListOffsets' timestamp -1 asks for the latest offset. `rd_kafka_offsets_for_times` hands it on as it is:
        // "The timestamp(s) to query are represented as `offset` in `offsets`".
        for partition in partitions { list.add(partition, offset: Self.latest) }
        let answer = list.lend { rd_kafka_offsets_for_times(handle.pointer, $0, Int32(clamping: timeoutMilliseconds)) }
        if let error = KafkaError.unlessNone(answer, "cannot read the ends of \(partitions.count) logs") { throw error }
        var found: [TopicPartition: Int64] = [:]
        for (partition, offset, code) in list.map({ ($0.topicPartition, $0.offset, $0.err) })
        where code == RD_KAFKA_RESP_ERR_NO_ERROR && offset >= 0 {
            found[partition] = offset
        }
        return found
    }

    private static let latest: Int64 = -1

    /// The high watermark of the last fetch answer; nil before the first. It asks nobody and does not wait.
    public func lastKnownHigh(_ partition: TopicPartition) -> Int64? {
        var low: Int64 = 0
        var high: Int64 = 0
        let answer = rd_kafka_get_watermark_offsets(
            handle.pointer, partition.topic, partition.partition, &low, &high)
        return answer == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// For each partition the first offset whose timestamp is at or after the given one; nil when there is none.
    public func offsets(
        for times: [(TopicPartition, timestampMilliseconds: Int64)], timeoutMilliseconds: Int
    ) throws(KafkaError) -> [TopicPartition: Int64?] {
        let list = PartitionList(capacity: times.count)
        for (partition, timestamp) in times { list.add(partition, offset: timestamp) }
        let timeout = Int32(clamping: timeoutMilliseconds)
        let answer = list.lend { rd_kafka_offsets_for_times(handle.pointer, $0, timeout) }
        if let error = KafkaError.unlessNone(answer, "cannot find offsets by time") { throw error }
        var found: [TopicPartition: Int64?] = [:]
        for (partition, offset, code) in list.map({ ($0.topicPartition, $0.offset, $0.err) }) {
            if let error = KafkaError.unlessNone(code, "cannot find \(partition)'s offset by time") { throw error }
            found[partition] = .some(offset >= 0 ? offset : nil)
        }
        return found
    }
}
