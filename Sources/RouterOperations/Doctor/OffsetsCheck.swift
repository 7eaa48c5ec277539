import KafkaClient
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase

/// Where the group stands in the raw topic: partitions that stand still, that have lost records or are about to.
struct OffsetsCheck {
    let settings: Settings
    let findings: Findings
    let known: KnownClients?

    private static let headroomWarningShare = 0.5
    private static let headroomFaultShare = 0.1

    func run(_ partitions: [Int32], _ queries: KafkaQueries, _ retention: Int64?, _ log: @escaping KafkaLog) throws {
        let topic = settings.kafka.rawTopic
        let positions = try GroupPosition.read(
            partitions.map { TopicPartition(topic: topic, partition: $0) },
            progress: known?.progress ?? PartitionProgress(), queries,
            timeoutMilliseconds: Doctor.questionMilliseconds)
        let movement = GroupMovement(positions)
        var lost: [String] = []
        for position in positions {
            guard case .resumeAfterLoss(_, let range) = position.decision else { continue }
            lost.append("\(range.count.grouped) of partition \(position.partition.partition)")
        }
        let stopped = positions.compactMap { position in
            position.stopReason.map { "partition \(position.partition.partition): \($0)" }
        }
        if let first = stopped.first {
            findings.fault(
                "kafka.offsets", "\(stopped.count) partitions stand still; \(first)",
                "router offsets show, then decide with router offsets accept")
        } else if !lost.isEmpty {
            findings.fault(
                "kafka.offsets", "records were deleted by retention before they were delivered: \(Findings.some(lost))",
                "they are gone from Kafka: ask the producers; raise retention.ms")
        } else {
            let lag = positions.reduce(Int64(0)) { $0 + $1.lag }
            findings.ok("kafka.offsets", "every partition can go on; \(lag.grouped) records are not delivered yet")
        }
        var oldest: [Int32: Int64] = [:]
        findings.check("kafka.headroom") {
            oldest = try OldestRecords.timestamps(
                positions, settings: settings, timeoutMilliseconds: Doctor.questionMilliseconds, log: log)
            headroom(positions, oldest, retention)
        }
        findings.check("kafka.progress") {
            try ProgressCheck(settings: settings, findings: findings, known: known).run(
                movement, oldest: oldest, queries)
        }
    }

    private func headroom(_ positions: [GroupPosition], _ oldest: [Int32: Int64], _ retention: Int64?) {
        guard let retention, retention > 0 else { return }
        guard positions.contains(where: { $0.lag > 0 }) else {
            return findings.ok("kafka.headroom", "nothing waits that retention could delete")
        }
        let now = WallClock.milliseconds()
        var worst: (partition: TopicPartition, left: Int64)?
        for position in positions {
            guard let timestamp = oldest[position.partition.partition] else { continue }
            let left = retention - (now - timestamp)
            if left < worst?.left ?? .max { worst = (position.partition, left) }
        }
        guard let worst else { return findings.ok("kafka.headroom", "the records that wait carry no timestamps") }
        let minutes = max(0, worst.left / 60_000)
        let text = "the oldest record that waits (\(worst.partition)) may be deleted in \(minutes.grouped) minutes"
        let advice = "raise the topic's retention.ms now, then see why it is not read (router status)"
        switch Double(worst.left) / Double(retention) {
        case ..<Self.headroomFaultShare: findings.fault("kafka.headroom", text, advice)
        case ..<Self.headroomWarningShare: findings.warning("kafka.headroom", text, advice)
        default: findings.ok("kafka.headroom", text)
        }
    }
}
