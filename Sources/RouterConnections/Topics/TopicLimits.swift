import RouterConfiguration

/// How the router's two topics are made where it makes them, and how large a record in them may be.
public enum TopicLimits {
    /// Six members can share the work, and each client's share of a batch stays large (a batch belongs to one partition).
    /// Partitions can be added later.
    public static let rawPartitions = 6
    /// Dead letters are few, and are read as a whole.
    public static let deadLetterPartitions = 3
    /// Apache Kafka's own default for `max.message.bytes`: a smaller one would surprise.
    static let kafkaDefaultMessageBytes = 1_048_588
    /// What a raw record may have beside a value of the largest size: key, headers, and Kafka's own framing.
    static let recordOverheadBytes = 256 * 1024
    /// What a dead letter has beside the record that it was: our headers, whose only long one is a sentence.
    static let deadLetterOverheadBytes = 64 * 1024

    /// `max.message.bytes` of the raw topic, and `message.max.bytes` of a producer to it: an event of the largest size
    /// that the router takes has to get into the topic.
    public static func rawMessageBytes(maxEventBytes: Int) -> Int {
        max(kafkaDefaultMessageBytes, maxEventBytes + recordOverheadBytes)
    }

    /// The same of the dead-letter topic: any record of the raw topic has to fit in with our headers.
    public static func deadLetterMessageBytes(maxEventBytes: Int) -> Int {
        rawMessageBytes(maxEventBytes: maxEventBytes) + deadLetterOverheadBytes
    }
}

extension Settings {
    /// See `TopicLimits`.
    public var rawMessageBytes: Int { TopicLimits.rawMessageBytes(maxEventBytes: limits.maxEventBytes) }
    public var deadLetterMessageBytes: Int { TopicLimits.deadLetterMessageBytes(maxEventBytes: limits.maxEventBytes) }
}
