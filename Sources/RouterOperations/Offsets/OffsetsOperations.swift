import KafkaClient
import Logging
import OffsetStore
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router offsets …`: where each partition of the raw topic would start, and what a person may decide about those that
/// stand still. It reads Kafka and commits nothing: a decision goes to Postgres, and the router that owns the partition
/// takes it. Kafka refuses commits from outside of a group that has members, and without members nobody delivers.
public struct OffsetsOperations {
    private let settings: Settings
    private let queries: KafkaQueries
    private let repository: OffsetRepository

    /// A broker that is up answers at once; finding the group's coordinator may take a few seconds.
    private static let timeoutMilliseconds = 20_000

    public init(settings: Settings, log: Logger) throws {
        self.settings = settings
        queries = try KafkaQueries(properties: settings.kafkaGroupProperties, log: log.kafkaLog)
        repository = OffsetRepository(
            try PostgresConnection(settings.postgresSettings), group: settings.kafka.groupID,
            topic: settings.kafka.rawTopic)
    }

    /// What is known of one partition at one moment.
    struct Standing {
        var partition: Int32
        var low: Int64
        var high: Int64
        var situation: OffsetSituation
        var progressAtMilliseconds: Int64?
        var decision: StartDecision
    }

    // MARK: - Show

    public func show() throws -> OffsetsReport {
        let standings = try standings()
        let acceptances = try repository.acceptances()
        let losses = try repository.losses()
        return OffsetsReport(
            topic: settings.kafka.rawTopic, group: settings.kafka.groupID,
            partitions: standings.map { standing in
                Self.document(
                    standing, acceptances.filter { $0.acceptance.partition == standing.partition },
                    losses.filter { $0.partition == standing.partition })
            })
    }

    func standings() throws -> [Standing] {
        let topic = settings.kafka.rawTopic
        guard
            let found = try KafkaAdmin(queries.handle).metadata(
                [topic], timeoutMilliseconds: Self.timeoutMilliseconds
            ).first, found.error == nil
        else {
            throw OperationError(
                "kafka_topic_missing",
                "there is no Kafka topic '\(topic)'; `router run` creates it, or see KAFKA_RAW_TOPIC")
        }
        let committed = try queries.committed(
            found.partitions.map { TopicPartition(topic: topic, partition: $0.id) },
            timeoutMilliseconds: Self.timeoutMilliseconds)
        let progress = try repository.progress()
        return try committed.map { answer in
            if let error = answer.error { throw error }
            let id = answer.partition.partition
            let (low, high) = try queries.watermarks(answer.partition, timeoutMilliseconds: Self.timeoutMilliseconds)
            let state = answer.offset.map { ($0, answer.metadata) }
            return Standing(
                partition: id, low: low, high: high,
                situation: OffsetSituation(committed: state, progressOffset: progress[id]?.offset),
                progressAtMilliseconds: progress[id]?.atMilliseconds,
                decision: .decide(committed: state, progressOffset: progress[id]?.offset, low: low, high: high))
        }.sorted { $0.partition < $1.partition }
    }

    private static func document(
        _ standing: Standing, _ acceptances: [OffsetRepository.Entry], _ losses: [OffsetRepository.Loss]
    ) -> OffsetsReport.Partition {
        let situation = standing.situation
        var one = OffsetsReport.Partition(
            partition: standing.partition, logStart: standing.low, logEnd: standing.high,
            committedOffset: situation.committedOffset, metadata: situation.metadata,
            progressOffset: situation.progressOffset,
            progressAt: standing.progressAtMilliseconds.flatMap { TimeText.rfc3339(milliseconds: $0) },
            verdict: .resumes)
        if let offset = situation.committedOffset, situation.metadata != nil,
            let state = try? PartitionState(offset: offset, metadata: situation.metadata)
        {
            one.batches = .init(
                sealed: state.batches.count, complete: state.batches.filter(\.isComplete).count, end: state.end)
            one.heldBelow = state.heldBelow
        }
        var lost: [Range<Int64>] = []
        switch standing.decision {
        case .earliest: one.verdict = .earliest
        case .resume: break
        case .resumeAfterLoss(_, let ranges): lost = ranges
        case .takeOver(_, let ranges):
            one.verdict = .takesOver
            lost = ranges
        case .stop(let reason):
            one.verdict = .standsStill
            one.detail = reason
            let waiting = acceptances.last { $0.takenAtMilliseconds == nil }?.acceptance
            if waiting?.start(in: situation, low: standing.low, high: standing.high) != nil { one.verdict = .accepted }
        }
        let noted = losses.filter { !lost.contains($0.offsets) }
        one.lost =
            lost.map { .init(from: $0.lowerBound, to: $0.upperBound, at: nil) }
            + noted.map {
                .init(
                    from: $0.offsets.lowerBound, to: $0.offsets.upperBound,
                    at: TimeText.rfc3339(milliseconds: $0.atMilliseconds))
            }
        one.acceptances = acceptances.map {
            .init(
                offset: $0.acceptance.offset, acceptedBy: $0.acceptance.acceptedBy,
                acceptedAt: TimeText.rfc3339(milliseconds: $0.acceptedAtMilliseconds), reason: $0.acceptance.reason,
                takenAt: $0.takenAtMilliseconds.flatMap { TimeText.rfc3339(milliseconds: $0) })
        }
        return one
    }

    // MARK: - Accept

    /// Says what accepting would do. Nothing is written yet.
    /// - Parameter partitions: nil for every partition that stands still.
    public func plan(
        partitions: [Int32]?, at place: AcceptedPlace, by name: String, reason: String
    ) throws -> AcceptancePlan {
        try AcceptancePlan(
            topic: settings.kafka.rawTopic, group: settings.kafka.groupID, standings: standings(),
            partitions: partitions,
            place: place, name: name, reason: reason)
    }

    /// Writes the decisions down for the router that owns the partitions.
    public func accept(_ plan: AcceptancePlan) throws {
        try repository.accept(plan.acceptances)
    }
}
