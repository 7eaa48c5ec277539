import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore

/// What the audit asks Kafka.
struct AuditKafka {
    /// A broker that is up answers at once; finding the group's coordinator may take a few seconds.
    static let timeoutMilliseconds = 20_000

    struct Partition: Sendable {
        var id: Int32
        var low: Int64
        var high: Int64
        /// nil when the group has committed nothing here.
        var committed: Int64?
        /// Removed by retention, and not known to be delivered: what the next router will find.
        var lost: [Range<Int64>] = []

        /// What is judged: readable and below the committed offset.
        var judged: Range<Int64> {
            let end = min(committed ?? 0, high)
            return low..<max(low, end)
        }
    }

    let settings: Settings
    let log: Logger
    private let queries: KafkaQueries
    private let admin: KafkaAdmin

    init(settings: Settings, log: Logger) throws {
        self.settings = settings
        self.log = log
        queries = try KafkaQueries(properties: settings.kafkaGroupProperties, log: log.kafkaLog)
        admin = KafkaAdmin(queries.handle)
    }

    func partitionIDs(_ topic: String) throws -> [Int32] {
        let found = try admin.metadata([topic], timeoutMilliseconds: Self.timeoutMilliseconds)
        guard let one = found.first, one.error == nil else {
            let error = found.first?.error
            if let error, !error.isUnknownTopicOrPartition { throw error }
            throw OperationError(
                "kafka_topic_missing",
                "there is no Kafka topic '\(topic)'; `router run` and `router send` create the topics, or see "
                    + "KAFKA_RAW_TOPIC and KAFKA_DEAD_LETTER_TOPIC")
        }
        return one.partitions.map(\.id)
    }

    /// The raw topic's partitions. Committed first: whatever is settled later than this is not judged.
    func rawPartitions() throws -> [Partition] {
        let topic = settings.kafka.rawTopic
        let ids = try partitionIDs(topic)
        let committed = try queries.committed(
            ids.map { TopicPartition(topic: topic, partition: $0) }, timeoutMilliseconds: Self.timeoutMilliseconds)
        var partitions: [Partition] = []
        for answer in committed {
            if let error = answer.error { throw error }
            let (low, high) = try queries.watermarks(answer.partition, timeoutMilliseconds: Self.timeoutMilliseconds)
            var one = Partition(id: answer.partition.partition, low: low, high: high, committed: answer.offset)
            if let committed = answer.offset {
                one.lost = Self.lost(committed, answer.metadata, low: low, high: high)
            }
            partitions.append(one)
        }
        return partitions.sorted { $0.id < $1.id }
    }

    private static func lost(_ committed: Int64, _ metadata: String?, low: Int64, high: Int64) -> [Range<Int64>] {
        switch StartDecision.decide(committed: (committed, metadata), progressOffset: nil, low: low, high: high) {
        case .earliest, .resume: return []
        case .resumeAfterLoss(_, let lost), .takeOver(_, let lost): return lost
        case .stop:
            // Which of them were delivered cannot be told from such a state: rather too many than silent. Past the log's
            // end the offset is one of a former log.
            return committed < low ? [committed..<low] : []
        }
    }

    /// By raw partition the offset below which no router is at anything any more; 0 where nothing is committed.
    func settled() throws -> [Int32: Int64] {
        Dictionary(try rawPartitions().map { ($0.id, min($0.committed ?? 0, $0.high)) }, uniquingKeysWith: { $1 })
    }

    /// What of a partition can be read now.
    func range(_ topic: String, _ partition: Int32) throws -> Range<Int64> {
        let (low, high) = try queries.watermarks(
            TopicPartition(topic: topic, partition: partition), timeoutMilliseconds: Self.timeoutMilliseconds)
        return low..<max(low, high)
    }

    /// Reads the whole dead-letter topic, up to its end as it is now.
    func deadLetters(judged: [Int32: Range<Int64>], progress: (Int) -> Void) throws -> DeadLetterIndex {
        let topic = settings.kafka.deadLetterTopic
        var index = DeadLetterIndex(judged: judged)
        var reader = DeadLetterOriginReader(topic: settings.kafka.rawTopic)
        let scan = try PartitionScan(properties: settings.kafkaProperties, log: log.kafkaLog)
        for id in try partitionIDs(topic) {
            let partition = TopicPartition(topic: topic, partition: id)
            let (low, high) = try queries.watermarks(partition, timeoutMilliseconds: Self.timeoutMilliseconds)
            try scan.read(partition, low..<max(low, high)) { record in
                reader.begin()
                // A header block that does not parse is a dead letter without an origin.
                try? record.forEachHeader { reader.take(name: $0, value: $1) }
                index.add(reader.origin)
                if index.seen.read % Self.progressEvery == 0 { progress(index.seen.read) }
            }
        }
        index.seal()
        return index
    }

    static let progressEvery = 10_000
}

/// Finds out whose the records of the raw topic are, as the router does.
struct OwnerReader: ~Copyable {
    private var decoder: EventDecoder
    private let numbers: [ClientID: Int]
    /// By a client's number, the time before which its events may have expired.
    private let horizons: [Int: Int64]
    private var last: (id: ClientID, owner: OffsetWindow.Owner)?
    private var fields = EventFields()

    /// - Parameter numbers: the clients that Postgres knows, by their number in the audit's list.
    init(topic: String, numbers: [ClientID: Int], horizons: [Int: Int64]) {
        self.horizons = horizons
        // Whatever the router's limit was when the record came: a larger one is only ever a dead letter, and then its
        // owner does not matter.
        decoder = EventDecoder(topic: topic, maxEventBytes: Int(Int32.max))
        self.numbers = numbers
    }

    mutating func owner(of record: KafkaRecord) -> (OffsetWindow.Owner, mayHaveExpired: Bool) {
        let view = Self.view(record)
        guard case .credentials(let id, _) = decoder.open(view) else { return (.nobody, false) }
        let owner: OffsetWindow.Owner
        if let last, last.id == id {
            owner = last.owner
        } else {
            owner = numbers[id].map { .client($0) } ?? .nobody
            last = (id, owner)
        }
        guard !horizons.isEmpty, case .client(let number) = owner, let horizon = horizons[number],
            decoder.finish(view, into: &fields) == nil
        else { return (owner, false) }
        return (owner, fields.timestampMilliseconds < horizon)
    }

    static func view(_ record: KafkaRecord) -> RecordView {
        var view = RecordView(
            value: record.value, partition: record.partition, offset: record.offset,
            timestampMilliseconds: record.timestampMilliseconds)
        // As the router reads them: a header block that does not parse counts as none.
        try? record.forEachHeader { view.take(header: $0, value: $1) }
        return view
    }
}
