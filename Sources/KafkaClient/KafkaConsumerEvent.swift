/// What a consumer has to tell apart from records, in the order in which it happened.
public enum KafkaConsumerEvent: Sendable {
    /// The group gives us these partitions (perhaps none). Answer with `KafkaConsumer.assign`, with all of them, now
    /// or later; until then no partition is fetched. Heartbeats go on while `poll` is called.
    case assign([TopicPartition])
    /// The group takes these partitions. Answer with `KafkaConsumer.unassign`, with all of them, now or later. When
    /// they are *lost*, another member may own them already: commit nothing for them.
    case revoke([TopicPartition], lost: Bool)
    /// The answer to a `KafkaConsumer.commit`.
    case committed(ticket: UInt64, partitions: [KafkaCommitAnswer], error: KafkaError?)
    /// About the handle: brokers away, authentication, `_MAX_POLL_EXCEEDED`, and fatal errors.
    case error(KafkaError)
    /// About one partition, such as `_AUTO_OFFSET_RESET` (its fetching stands still until `KafkaConsumer.restart`).
    case partitionError(TopicPartition, KafkaError)
    /// The position has reached the end of the log; only with the property `enable.partition.eof`.
    case endOfPartition(TopicPartition, offset: Int64)
}

public struct KafkaCommitAnswer: Equatable, Sendable {
    public var partition: TopicPartition
    public var offset: Int64
    public var error: KafkaError?

    public init(partition: TopicPartition, offset: Int64, error: KafkaError?) {
        self.partition = partition
        self.offset = offset
        self.error = error
    }
}

/// Where to start reading a partition.
public enum KafkaOffset: Equatable, Sendable {
    case at(Int64)
    case beginning
    case end
}
