import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase

/// What Kafka tells for `router status`. Blocking; its time is limited from outside.
struct KafkaStatus: Sendable {
    let settings: Settings
    let queries: KafkaQueries
    let log: KafkaLog

    /// Dead letters that are counted at most: what a broker hands over within a second or two.
    private static let maxDeadLetters: Int64 = 50_000
    /// Clocks that agree differ by less.
    private static let clockMilliseconds: Int64 = 2_000
    private static let hourMilliseconds: Int64 = 3_600_000

    init(settings: Settings, log: Logger) throws(KafkaError) {
        self.settings = settings
        self.log = { _, facility, message in
            log.debug("\(message)", metadata: ["source": "librdkafka", "facility": "\(facility)"])
        }
        queries = try KafkaQueries(properties: settings.kafkaGroupProperties, log: self.log)
    }

    func positions(progress: PartitionProgress) throws -> [GroupPosition] {
        let topic = settings.kafka.rawTopic
        return try GroupPosition.read(
            try partitions(of: topic), progress: progress, queries,
            timeoutMilliseconds: StatusReader.questionMilliseconds)
    }

    func group() throws(KafkaError) -> KafkaGroup? {
        try queries.group(settings.kafka.groupID, timeoutMilliseconds: StatusReader.questionMilliseconds)
    }

    /// By partition: the age in seconds of the first record that is not delivered.
    func oldest(_ positions: [GroupPosition], nowMilliseconds: Int64) throws -> [Int32: Int64] {
        try OldestRecords.timestamps(
            positions, settings: settings, timeoutMilliseconds: StatusReader.questionMilliseconds, log: log
        ).compactMapValues { timestamp in
            // A producer whose clock is ahead would make a record look young for as long.
            let age = nowMilliseconds - timestamp
            return age < -Self.clockMilliseconds ? nil : max(0, age) / 1000
        }
    }

    /// The dead letters of the last hour, by reason; the newest where there are too many to count.
    func deadLetters(nowMilliseconds: Int64) throws -> StatusReport.DeadLetters {
        let partitions = try partitions(of: settings.kafka.deadLetterTopic)
        let starts = try queries.offsets(
            for: partitions.map { ($0, nowMilliseconds - Self.hourMilliseconds) },
            timeoutMilliseconds: StatusReader.questionMilliseconds)
        var found = StatusReport.DeadLetters()
        let scan = try PartitionScan(properties: settings.kafkaGroupProperties, log: log)
        for partition in partitions {
            guard let start = starts[partition] ?? nil else { continue }
            let high = try queries.watermarks(
                partition, timeoutMilliseconds: StatusReader.questionMilliseconds
            ).high
            let first = max(start, high - Self.maxDeadLetters / Int64(max(1, partitions.count)))
            if first > start { found.complete = false }
            guard first < high else { continue }
            try scan.read(partition, first..<high) { record in
                found.byReason[Self.reason(record), default: 0] += 1
            }
        }
        return found
    }

    private static func reason(_ record: KafkaRecord) -> String {
        var reason: String?
        // A header block that cannot be parsed is one without a reason.
        try? record.forEachHeader { name, value in
            guard name.elementsEqual("router.reason".utf8), let value else { return }
            reason = String(decoding: value, as: UTF8.self)
        }
        // The set is closed; anything else was not written by a router.
        return reason.flatMap { DeadLetterReason(rawValue: $0)?.rawValue } ?? "other"
    }

    private func partitions(of topic: String) throws -> [TopicPartition] {
        let found = try KafkaAdmin(queries.handle).metadata(
            [topic], timeoutMilliseconds: StatusReader.questionMilliseconds
        ).first
        if let error = found?.error {
            if error.isUnknownTopicOrPartition { return [] }
            throw error
        }
        return (found?.partitions ?? []).map { TopicPartition(topic: topic, partition: $0.id) }
    }
}
