import KafkaClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// Commits an offset with a long metadata string, in a group of its own, and reads it back: delivery's whole state is
/// such a string. The group is removed again.
struct MetadataRoundTrip {
    let settings: Settings
    let findings: Findings
    let log: KafkaLog

    func run(partition: Int32) {
        // Rights on groups are often given by prefix, so the router's own name comes first.
        let group = "\(settings.kafka.groupID)-doctor-\(UUID128.random().description.prefix(8))"
        do {
            var properties = settings.kafkaProperties
            properties["group.id"] = group
            let queries = try KafkaQueries(properties: properties, log: log)
            // The group may stay behind where this user may not delete it; it expires by itself.
            defer {
                try? KafkaAdmin(queries.handle).deleteGroup(group, timeoutMilliseconds: Doctor.questionMilliseconds)
            }
            let target = TopicPartition(topic: settings.kafka.rawTopic, partition: partition)
            let text = String(repeating: "m", count: PartitionState.maxMetadataBytes)
            try queries.commitAlone(
                target, offset: 0, metadata: text, timeoutMilliseconds: Doctor.questionMilliseconds)
            let answer = try queries.committed([target], timeoutMilliseconds: Doctor.questionMilliseconds).first
            if let error = answer?.error { throw error }
            if answer?.metadata == text {
                findings.ok(
                    "kafka.metadata", "committed metadata comes back whole: delivery is exactly once")
            } else {
                findings.fault(
                    "kafka.metadata",
                    "the broker does not keep the metadata of committed offsets (\(text.utf8.count) bytes sent, "
                        + "\(answer?.metadata?.utf8.count ?? 0) came back): delivery is at least once",
                    "use Apache Kafka or Redpanda; see offset.metadata.max.bytes")
            }
        } catch let error as KafkaError where error.isAuthorizationFailure {
            findings.warning(
                "kafka.metadata", "not tried: this Kafka user may not use the group '\(group)'",
                "grant it the groups that start with '\(settings.kafka.groupID)', see deploy/kafka-acls.sh")
        } catch let error as KafkaError where error.code == Self.metadataTooLarge {
            findings.fault(
                "kafka.metadata", "the broker refuses metadata of \(PartitionState.maxMetadataBytes) bytes: \(error)",
                "set the broker's offset.metadata.max.bytes to 4096 or more")
        } catch {
            findings.unknown("kafka.metadata", "\(error)", ErrorAdvice.advice(for: error))
        }
    }

    /// OFFSET_METADATA_TOO_LARGE.
    private static let metadataTooLarge: Int32 = 12
}
