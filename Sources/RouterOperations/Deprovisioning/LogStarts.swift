import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections

/// Where partitions' logs begin: what is below cannot be read any more, and so not be judged.
final class LogStarts {
    private static let timeoutMilliseconds = 20_000

    private let queries: KafkaQueries
    private let admin: KafkaAdmin
    private var partitions: [String: Set<Int32>] = [:]

    init(settings: Settings, log: Logger) throws {
        queries = try KafkaQueries(properties: settings.kafkaProperties, log: log.kafkaLog)
        admin = KafkaAdmin(queries.handle)
    }

    /// nil when Kafka has no such partition.
    func start(_ topic: String, _ partition: Int32) throws -> Int64? {
        if partitions[topic] == nil {
            // A row's topic can be any text; a name that no topic can have is one that Kafka does not have.
            let isName = (1...249).contains(topic.utf8.count) && topic.utf8.allSatisfy(Self.isNameByte)
            let found = isName ? try admin.metadata([topic], timeoutMilliseconds: Self.timeoutMilliseconds).first : nil
            if let error = found?.error, !error.isUnknownTopicOrPartition { throw error }
            partitions[topic] = Set(found.flatMap { $0.error == nil ? $0.partitions.map(\.id) : nil } ?? [])
        }
        guard partitions[topic]?.contains(partition) == true else { return nil }
        return try queries.watermarks(
            TopicPartition(topic: topic, partition: partition), timeoutMilliseconds: Self.timeoutMilliseconds
        ).low
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (byte >= 48 && byte <= 57) || (byte | 0x20 >= 97 && byte | 0x20 <= 122) || byte == 45 || byte == 46
            || byte == 95
    }
}
