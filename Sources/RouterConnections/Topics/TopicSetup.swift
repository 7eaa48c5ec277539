import Dispatch
import Glibc
import KafkaClient
import Logging
import RouterConfiguration

/// A topic as the router would make it.
struct TopicPlan {
    var name: String
    var partitions: Int
    var maxMessageBytes: Int

    /// The cleanup policy is said because a broker's default may be `compact`, which throws away all but the newest
    /// event of a key.
    var configuration: [String: String] {
        ["max.message.bytes": String(maxMessageBytes), "cleanup.policy": "delete"]
    }
}

/// Sees to it that the raw and the dead-letter topic are there.
public enum TopicSetup {
    /// A broker that is up answers at once; it may have to find its controller first.
    static let timeoutMilliseconds = 15_000
    /// Leaders of new partitions are elected within a second or two; a busy cluster takes longer.
    static let leaderTimeoutMilliseconds = 30_000
    static let leaderPollMilliseconds = 100

    /// Creates the topics that are missing, where this Kafka user may. What is there is never changed; what is odd
    /// about it is logged, perhaps a little later. It waits for brokers: not for the pipeline's thread.
    ///
    /// - Returns: the names of those that were created.
    /// - Throws: `TopicSetupError`, whose `isRetriable` tells an outage from a refusal.
    @discardableResult
    public static func ensure(settings: Settings, log: Logger) throws(TopicSetupError) -> [String] {
        let plans = [
            TopicPlan(
                name: settings.kafka.rawTopic, partitions: TopicLimits.rawPartitions,
                maxMessageBytes: settings.rawMessageBytes),
            TopicPlan(
                name: settings.kafka.deadLetterTopic, partitions: TopicLimits.deadLetterPartitions,
                maxMessageBytes: settings.deadLetterMessageBytes),
        ]
        let servers = settings.kafka.bootstrapServers
        let admin: KafkaAdmin
        let topics: [KafkaAdmin.Topic]
        do throws(KafkaError) {
            admin = try KafkaAdmin(properties: settings.kafkaProperties, log: log.kafkaLog)
            topics = try admin.metadata(plans.map(\.name), timeoutMilliseconds: timeoutMilliseconds)
        } catch { throw .unreachable(error, servers: servers) }

        var created: [String] = []
        for (plan, topic) in zip(plans, topics) {
            switch topic.error {
            case nil:
                // Nobody waits for a remark: a broker that does not know the question lets it run into its time-out.
                let isDeadLetterTopic = plan.name == settings.kafka.deadLetterTopic
                DispatchQueue.global().async { lookOver(plan, admin, log, isDeadLetterTopic: isDeadLetterTopic) }
            case .some(let error) where error.isUnknownTopicOrPartition:
                if try create(plan, admin, log) { created.append(plan.name) }
            case .some(let error): throw .unusable(plan.name, error)
            }
        }
        if !created.isEmpty { try awaitLeaders(created, admin, servers: servers) }
        return created
    }

    // MARK: Creating

    /// - Returns: false when another process made it meanwhile.
    private static func create(_ plan: TopicPlan, _ admin: KafkaAdmin, _ log: Logger) throws(TopicSetupError) -> Bool {
        do throws(KafkaError) {
            do throws(KafkaError) {
                try send(plan, replication: -1, admin)
            } catch  where refusesDefaultReplication(error) {
                log.notice(
                    "this Kafka has no default replication factor, so the topic gets one replica",
                    metadata: ["topic": "\(plan.name)", "error": "\(error)"])
                try send(plan, replication: 1, admin)
            }
        } catch {
            if error.isTopicAlreadyThere { return false }
            throw .cannotCreate(plan, error)
        }
        log.notice("created a Kafka topic", metadata: ["topic": "\(plan.name)", "partitions": "\(plan.partitions)"])
        return true
    }

    private static func send(_ plan: TopicPlan, replication: Int, _ admin: KafkaAdmin) throws(KafkaError) {
        try admin.createTopic(
            plan.name, partitions: plan.partitions, replication: replication, configuration: plan.configuration,
            timeoutMilliseconds: timeoutMilliseconds)
    }

    /// A replication factor of -1, the broker's default, is understood since Kafka 2.4. Older ones and some that speak
    /// the protocol answer UNSUPPORTED_VERSION (35), INVALID_REPLICATION_FACTOR (38) or INVALID_REQUEST (42); librdkafka itself
    /// says _UNSUPPORTED_FEATURE (-165) when it knows the broker to be older.
    private static func refusesDefaultReplication(_ error: KafkaError) -> Bool {
        [35, 38, 42, -165].contains(error.code)
    }

    private static func awaitLeaders(
        _ names: [String], _ admin: KafkaAdmin, servers: String
    ) throws(TopicSetupError) {
        var waitedMilliseconds = 0
        while true {
            let topics: [KafkaAdmin.Topic]
            do throws(KafkaError) {
                topics = try admin.metadata(names, timeoutMilliseconds: timeoutMilliseconds)
            } catch { throw .unreachable(error, servers: servers) }
            let waiting = topics.filter { topic in
                topic.error != nil || topic.partitions.isEmpty || topic.partitions.contains { $0.leader < 0 }
            }
            if waiting.isEmpty { return }
            guard waitedMilliseconds < leaderTimeoutMilliseconds else { throw .noLeader(waiting.map(\.name)) }
            usleep(UInt32(leaderPollMilliseconds) * 1000)
            waitedMilliseconds += leaderPollMilliseconds
        }
    }

    // MARK: Looking over

    /// Says what about an existing topic will hurt later. A broker that does not tell its topics' settings, or may not,
    /// is no reason to stop.
    private static func lookOver(
        _ plan: TopicPlan, _ admin: KafkaAdmin, _ log: Logger, isDeadLetterTopic: Bool
    ) {
        let configuration: [String: String]
        do throws(KafkaError) {
            configuration = try admin.topicConfiguration(plan.name, timeoutMilliseconds: timeoutMilliseconds)
        } catch {
            log.debug(
                "the settings of a Kafka topic cannot be read, so they are not checked",
                metadata: ["topic": "\(plan.name)", "error": "\(error)"])
            return
        }
        for remark in remarks(on: configuration, plan: plan, isDeadLetterTopic: isDeadLetterTopic) {
            log.warning("\(remark)", metadata: ["topic": "\(plan.name)"])
        }
    }

    static func remarks(on configuration: [String: String], plan: TopicPlan, isDeadLetterTopic: Bool) -> [String] {
        var remarks: [String] = []
        if let policy = configuration["cleanup.policy"], policy.contains("compact") {
            remarks.append(
                isDeadLetterTopic
                    ? "the dead-letter topic is compacted, so Kafka deletes dead letters whose key comes again: set its "
                        + "cleanup.policy to delete"
                    : "the raw topic is compacted: events whose key comes again before they are read are gone unread; "
                        + "set its cleanup.policy to delete")
        }
        if isDeadLetterTopic, let text = configuration["max.message.bytes"], let bytes = Int(text),
            bytes < plan.maxMessageBytes
        {
            remarks.append(
                "the dead-letter topic takes records of \(bytes) bytes at most, so larger events go there without their "
                    + "value: set its max.message.bytes to \(plan.maxMessageBytes)")
        }
        return remarks
    }
}
