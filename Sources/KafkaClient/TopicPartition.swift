import CRdkafka
import Glibc

/// One partition of a topic.
public struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32

    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public var description: String { "\(topic)/\(partition)" }
}

/// The one owner of a `rd_kafka_topic_partition_list_t`, freed with it.
final class PartitionList {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(capacity: Int) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: capacity))
    }

    convenience init(_ partitions: [TopicPartition]) {
        self.init(capacity: partitions.count)
        for partition in partitions { add(partition) }
    }

    /// - Parameter metadata: copied into memory from `malloc`, because `rd_kafka_topic_partition_list_destroy` frees
    ///   it with `free`.
    func add(_ item: TopicPartition, offset: Int64 = Int64(RD_KAFKA_OFFSET_INVALID), metadata: String? = nil) {
        let element = rd_kafka_topic_partition_list_add(pointer, item.topic, item.partition)
        guard let element else { return }
        element.pointee.offset = offset
        guard let metadata, !metadata.isEmpty else { return }
        let bytes = Array(metadata.utf8)
        guard let copy = malloc(bytes.count) else { return }
        copy.copyMemory(from: bytes, byteCount: bytes.count)
        element.pointee.metadata = copy
        element.pointee.metadata_size = bytes.count
    }

    /// Lends the list to C. The pointer is not handed out, because Swift may free an object after its last use, which
    /// would be before the call and not after it.
    func lend<R>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> R) -> R {
        withExtendedLifetime(self) { body(pointer) }
    }

    /// What C has written into the elements.
    func map<R>(_ transform: (rd_kafka_topic_partition_t) -> R) -> [R] {
        withExtendedLifetime(self) { pointer.pointee.buffer.map(transform) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }
}

extension rd_kafka_topic_partition_list_t {
    var buffer: UnsafeMutableBufferPointer<rd_kafka_topic_partition_t> {
        UnsafeMutableBufferPointer(start: elems, count: Int(cnt))
    }
}

extension rd_kafka_topic_partition_t {
    var topicPartition: TopicPartition { TopicPartition(topic: String(cString: topic), partition: partition) }

    var metadataText: String? {
        guard let metadata, metadata_size > 0 else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: metadata, count: metadata_size), as: UTF8.self)
    }
}
