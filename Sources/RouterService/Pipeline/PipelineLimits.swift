import RouterConfiguration
import RouterCore

/// The numbers that bound the pipeline: those of the settings, and constants with their reasons.
struct PipelineLimits {
    var delivery = DeliveryLimits()
    let maxRows: Int
    let maxBytes: Int
    let maxAgeMilliseconds: Int64
    let memoryBytes: Int
    let shutdownMilliseconds: Int64

    /// librdkafka takes this share of the memory limit, the blocks the rest.
    static let kafkaQueueShare = 2
    /// … and no more than this: some 150,000 events of usual size.
    static let maxKafkaQueueBytes = 128 << 20
    // librdkafka counts the bytes of the records it has queued, not the some 400 bytes that it keeps beside each (its
    // `rd_kafka_op_t`), which is more than a small event itself; and it asks for the next answer as long as the queue is
    // below its limit, so one answer comes on top. Of its share, for records of any size down to 100 bytes:
    /// at most one record queued for so many bytes …
    static let kafkaQueueBytesPerRecord = 1280
    /// … whose bytes take three eighths at most …
    static let kafkaQueuedEighths = 3
    /// … and an answer one eighth.
    static let kafkaFetchEighths = 1

    /// Records of a partition that wait for their client. Further ones wait at the broker.
    static let maxParkedRecords = 2_000

    /// `/api/status`, `/metrics`' gauges: often enough for a person and for tests, rare enough to cost nothing.
    let statusMilliseconds: Int64 = 200
    /// Nothing waits for it: a bound for what nobody thought of.
    let longestWaitMilliseconds: Int64 = 500
    /// Between a missed generation and leaving the group: the time in which librdkafka notices by itself.
    static let startOverMilliseconds: Int64 = 1_000
    /// Between leaving the group and the revocation that follows, which needs no broker.
    static let leaveMilliseconds: Int64 = 30_000
    /// How often the group's generation is looked at: more often than a group can go through two of them.
    static let membershipLookMilliseconds: Int64 = 200
    /// How often the broker is asked whether it answers.
    static let kafkaProbeMilliseconds: Int64 = 5_000
    /// How often partitions that stand still are asked about: who accepted an offset waits for it.
    static let stoppedLookMilliseconds: Int64 = 2_000
    /// How often a failed question to the broker is asked again.
    static let retryMilliseconds: Int64 = 1_000

    /// librdkafka's default for `session.timeout.ms`.
    static let defaultSessionTimeoutMilliseconds: Int64 = 45_000

    init(settings: Settings) {
        maxRows = settings.batch.maxRows
        maxBytes = settings.batch.maxBytes
        maxAgeMilliseconds = Int64(settings.batch.maxAgeMilliseconds)
        memoryBytes = settings.limits.memoryBytes - Self.kafkaQueueBytes(settings)
        shutdownMilliseconds = Int64(settings.limits.shutdownTimeoutMilliseconds)
        delivery.destinationTimeoutMilliseconds = Int64(settings.limits.destinationTimeoutMilliseconds)
        let session =
            settings.kafka.properties.first { $0.name == "session.timeout.ms" }.flatMap { Int64($0.value) }
            ?? Self.defaultSessionTimeoutMilliseconds
        // A third of the session is left for an insert to start in.
        delivery.leaseMilliseconds = session * 2 / 3
    }

    static func kafkaQueueBytes(_ settings: Settings) -> Int {
        min(settings.limits.memoryBytes / kafkaQueueShare, maxKafkaQueueBytes)
    }
}
