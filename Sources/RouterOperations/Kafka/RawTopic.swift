import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections

/// The raw topic as it is: asked for by commands that must not make one out of a misspelt name.
enum RawTopic {
    /// A broker that is up answers at once.
    private static let timeoutMilliseconds = 20_000

    /// - Throws: `kafka_topic_missing`, with a topic of a similar name where there is one; Kafka's own error when it does
    ///   not tell its topics.
    static func existing(settings: Settings, log: Logger) throws -> KafkaAdmin.Topic {
        let name = settings.kafka.rawTopic
        let admin = try KafkaAdmin(properties: settings.kafkaProperties, log: log.kafkaLog)
        let topics = try admin.allTopics(timeoutMilliseconds: timeoutMilliseconds)
        guard let topic = topics[name] else {
            let similar = Spelling.nearest(to: name, among: topics.keys).map { ", but '\($0)'" } ?? ""
            throw OperationError(
                "kafka_topic_missing",
                "there is no Kafka topic '\(name)'\(similar); see KAFKA_RAW_TOPIC. `router run` and "
                    + "`router send --create-topics` create the topic that it names")
        }
        if let error = topic.error { throw error }
        return topic
    }
}
