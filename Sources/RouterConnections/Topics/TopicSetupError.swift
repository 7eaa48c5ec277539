import KafkaClient

/// Why the topics are not there, and what to do about it.
public struct TopicSetupError: Error, Sendable, CustomStringConvertible {
    public static let code = "topics_not_ready"
    public var message: String
    /// What Kafka said.
    public var cause: KafkaError
    /// True for outages: the same call may succeed later with nothing changed.
    public var isRetriable: Bool { cause.isRetriable }

    public var description: String { "\(Self.code): \(message)" }

    static func unreachable(_ cause: KafkaError, servers: String) -> TopicSetupError {
        TopicSetupError(
            message: "Kafka at \(servers) does not tell its topics: \(cause); see that the brokers are up and that "
                + "KAFKA_BOOTSTRAP_SERVERS and the security settings are right",
            cause: cause)
    }

    static func unusable(_ topic: String, _ cause: KafkaError) -> TopicSetupError {
        let advice =
            cause.isAuthorizationFailure
            ? "; this Kafka user needs the right to describe and use it" : ""
        return TopicSetupError(message: "the Kafka topic '\(topic)' cannot be used: \(cause)\(advice)", cause: cause)
    }

    static func cannotCreate(_ plan: TopicPlan, _ cause: KafkaError) -> TopicSetupError {
        let settings = plan.configuration.sorted { $0.key < $1.key }.map { " --config \($0.key)=\($0.value)" }
        return TopicSetupError(
            message: "the Kafka topic '\(plan.name)' does not exist and could not be created: \(cause); create it, for "
                + "example: kafka-topics.sh --create --topic \(plan.name) --partitions \(plan.partitions)"
                + settings.joined(),
            cause: cause)
    }

    static func noLeader(_ topics: [String]) -> TopicSetupError {
        let names = topics.joined(separator: ", ")
        return TopicSetupError(
            message: "the Kafka topics just created have no leaders yet: \(names)",
            cause: KafkaError(code: leaderNotAvailable))
    }

    /// LEADER_NOT_AVAILABLE of the Kafka protocol's table, which is retriable.
    private static let leaderNotAvailable: Int32 = 5
}
