import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore

/// Kafka: reach, topics and their settings, the group's offsets, and whether committed metadata comes back.
struct KafkaCheck {
    let settings: Settings
    let findings: Findings
    let log: Logger
    let known: KnownClients?

    private static let dayMilliseconds: Int64 = 86_400_000

    func run() {
        let queries: KafkaQueries
        let admin: KafkaAdmin
        let topics: [KafkaAdmin.Topic]
        do {
            // What librdkafka logs of a broker that is away is said by the check itself.
            queries = try KafkaQueries(properties: settings.kafkaGroupProperties, log: quiet)
            admin = KafkaAdmin(queries.handle)
            let before = WallClock.milliseconds()
            topics = try admin.metadata(
                [settings.kafka.rawTopic, settings.kafka.deadLetterTopic],
                timeoutMilliseconds: Doctor.questionMilliseconds)
            findings.ok("kafka.reach", "answered in \(WallClock.milliseconds() - before) ms")
        } catch {
            findings.unknown("kafka.reach", "\(error)", ErrorAdvice.advice(for: error))
            return
        }
        for (name, topic) in zip(["raw", "dead_letter"], topics) { lookOver(name, topic) }
        let raw = configuration("raw", topics[0], admin)
        let dead = configuration("dead_letter", topics[1], admin)
        retention(raw, dead)
        guard topics[0].error == nil, let first = topics[0].partitions.first else { return }
        let offsets = OffsetsCheck(settings: settings, findings: findings, known: known)
        findings.check("kafka.offsets") {
            try offsets.run(topics[0].partitions.map(\.id), queries, raw?["retention.ms"].flatMap { Int64($0) }, quiet)
        }
        MetadataRoundTrip(settings: settings, findings: findings, log: quiet).run(partition: first.id)
    }

    private var quiet: KafkaLog {
        { [log] _, facility, message in
            log.debug("\(message)", metadata: ["source": "librdkafka", "facility": "\(facility)"])
        }
    }

    private func lookOver(_ name: String, _ topic: KafkaAdmin.Topic) {
        let check = "kafka.topic.\(name)"
        if let error = topic.error {
            if error.isUnknownTopicOrPartition {
                findings.warning(
                    check, "the topic '\(topic.name)' does not exist",
                    "`router run` makes it where this Kafka user may; else make it by hand")
            } else {
                findings.fault(
                    check, "\(error)", "grant this Kafka user the right to describe the topic, see deploy/kafka-acls.sh"
                )
            }
            return
        }
        let count = topic.partitions.count
        let leaderless = topic.partitions.filter { $0.leader < 0 }.map { "\($0.id)" }
        let behind = topic.partitions.filter { $0.inSyncReplicas.count < $0.replicas.count }.map { "\($0.id)" }
        let replicas = topic.partitions.map(\.replicas.count).min() ?? 0
        if !leaderless.isEmpty {
            findings.fault(
                check, "partitions of '\(topic.name)' have no leader: \(Findings.some(leaderless))",
                "see that all brokers are up")
        } else if !behind.isEmpty {
            findings.warning(
                check, "partitions of '\(topic.name)' have replicas that are behind: \(Findings.some(behind))",
                "see that all brokers are up and keep up")
        } else if replicas < 2 {
            findings.warning(
                check, "'\(topic.name)' has \(count) partitions, each on one broker only: its disk is the only copy",
                "three replicas and min.insync.replicas=2, where events matter")
        } else {
            findings.ok(check, "'\(topic.name)' has \(count) partitions, \(replicas) replicas each, all in sync")
        }
    }

    /// nil when the settings cannot be read.
    private func configuration(_ name: String, _ topic: KafkaAdmin.Topic, _ admin: KafkaAdmin) -> [String: String]? {
        guard topic.error == nil else { return nil }
        let check = "kafka.config.\(name)"
        let configuration: [String: String]
        do {
            configuration = try admin.topicConfiguration(
                topic.name, timeoutMilliseconds: Doctor.questionMilliseconds)
        } catch {
            findings.warning(
                check, "the settings of '\(topic.name)' cannot be read: \(error)",
                "grant this Kafka user DescribeConfigs on the topic, to have them checked")
            return nil
        }
        var isWell = true
        if let policy = configuration["cleanup.policy"], policy.contains("compact") {
            isWell = false
            findings.fault(
                check, "'\(topic.name)' has cleanup.policy \(policy): records whose key comes again are deleted unread",
                "set its cleanup.policy to delete")
        }
        let isRaw = name == "raw"
        let wanted = isRaw ? settings.limits.maxEventBytes : settings.deadLetterMessageBytes
        if let bytes = configuration["max.message.bytes"].flatMap({ Int($0) }), bytes < wanted {
            isWell = false
            findings.warning(
                check,
                "'\(topic.name)' takes records of \(bytes.grouped) bytes at most"
                    + (isRaw
                        ? ", less than ROUTER_MAX_EVENT_BYTES: producers' larger events are refused"
                        : ": larger dead letters go there without their value"),
                "set its max.message.bytes to \(isRaw ? settings.rawMessageBytes : wanted)")
        }
        if isWell {
            findings.ok(
                check,
                "cleanup.policy \(configuration["cleanup.policy"] ?? "not told"), max.message.bytes "
                    + (configuration["max.message.bytes"] ?? "not told"))
        }
        return configuration
    }

    private func retention(_ raw: [String: String]?, _ dead: [String: String]?) {
        func milliseconds(_ configuration: [String: String]?) -> Int64? {
            configuration?["retention.ms"].flatMap { Int64($0) }
        }
        func hours(_ milliseconds: Int64) -> String { "\(milliseconds / 3_600_000) hours" }
        guard let raw = milliseconds(raw) else { return }
        if raw >= 0, raw < Self.dayMilliseconds {
            findings.warning(
                "kafka.retention",
                "the raw topic keeps records for \(hours(raw)): an outage longer than that loses what was not read",
                "set its retention.ms above the longest outage you expect")
        } else if let dead = milliseconds(dead), dead >= 0, raw < 0 || dead < raw {
            findings.warning(
                "kafka.retention",
                "dead letters are kept for \(hours(dead)), a shorter time than the events themselves",
                "set the dead-letter topic's retention.ms above the time in which you replay them")
        } else {
            findings.ok("kafka.retention", raw < 0 ? "records are kept for ever" : "records are kept for \(hours(raw))")
        }
    }
}
