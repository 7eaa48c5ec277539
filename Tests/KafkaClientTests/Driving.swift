import Foundation
import KafkaClient
import RouterTestSupport
import Synchronization

/// Log lines of the handles under test, kept so that a test can look at them.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var log: KafkaLog { { level, facility, text in self.lines.withLock { $0.append("\(level) \(facility) \(text)") } } }
    var all: [String] { lines.withLock { $0 } }
}

/// Runs a test that waits on a thread of its own: the two or so threads that tests share would let them wait one by
/// one.
func onOwnThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

/// No test waits longer than this for a condition; it is not a time that anything is measured by.
let patience: Duration = .seconds(40)

/// A record copied out of its batch.
struct Copied: Equatable {
    var partition: Int32
    var offset: Int64
    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [KafkaHeader]
    var timestampMilliseconds: Int64?

    init(_ record: KafkaRecord) throws {
        partition = record.partition
        offset = record.offset
        key = record.key.map { Array($0) }
        value = record.value.map { Array($0) }
        headers = try record.copiedHeaders()
        timestampMilliseconds = record.timestampMilliseconds
    }

    var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}

/// Drives a consumer as the pipeline does, and keeps what came out.
final class Driver {
    let consumer: KafkaConsumer
    let batch: KafkaRecordBatch
    private(set) var records: [Copied] = []
    private(set) var events: [KafkaConsumerEvent] = []
    /// Where an assigned partition starts; `answers` false leaves rebalances to the test.
    var answersRebalances = true
    private(set) var owned: Set<TopicPartition> = []

    init(_ consumer: KafkaConsumer, capacity: Int = 100) {
        self.consumer = consumer
        batch = KafkaRecordBatch(capacity: capacity)
    }

    convenience init(
        _ cluster: MockKafkaCluster, group: String = "group", topics: [String] = ["events"],
        _ properties: KafkaProperties = [:], log: @escaping KafkaLog = { _, _, _ in }
    ) throws {
        let consumer = try KafkaConsumer(
            properties: consumerProperties(cluster, group: group).merging(properties), wake: try WakeDescriptor(),
            log: log)
        self.init(consumer)
        if !topics.isEmpty { try consumer.subscribe(topics) }
    }

    /// One turn of the loop.
    func turn() throws {
        consumer.wake.drain()
        consumer.poll(into: batch)
        for record in batch { records.append(try Copied(record)) }
        let new = consumer.takeEvents()
        events += new
        if answersRebalances { for event in new { try answer(event) } }
        if batch.isEmpty && new.isEmpty { consumer.wake.wait(timeoutMilliseconds: 20) }
    }

    func answer(_ event: KafkaConsumerEvent) throws {
        switch event {
        case .assign(let partitions):
            try consumer.assign(partitions.map { ($0, .beginning) })
            owned.formUnion(partitions)
        case .revoke(let partitions, _):
            try consumer.unassign(partitions)
            owned.subtract(partitions)
        default: break
        }
    }

    /// Turns until the condition holds.
    /// - Returns: false when it never did.
    func run(until condition: (Driver) throws -> Bool) throws -> Bool {
        let deadline = ContinuousClock.now + patience
        while try !condition(self) {
            guard ContinuousClock.now < deadline else { return false }
            try turn()
        }
        return true
    }

    func run(for duration: Duration) throws {
        let deadline = ContinuousClock.now + duration
        while ContinuousClock.now < deadline { try turn() }
    }

    /// Commits and waits for the answer.
    func commit(_ partition: TopicPartition, _ offset: Int64, _ metadata: String, ticket: UInt64) throws -> KafkaError??
    {
        try consumer.commit([(partition, offset, metadata)], ticket: ticket)
        var answer: KafkaError??
        _ = try run { driver in
            for case .committed(ticket, _, let error) in driver.events { answer = .some(error) }
            return answer != nil
        }
        return answer
    }

    func forgetRecords() { records.removeAll() }

    var assignments: [[TopicPartition]] {
        events.compactMap { if case .assign(let partitions) = $0 { partitions } else { nil } }
    }
    var revocations: [(partitions: [TopicPartition], lost: Bool)] {
        events.compactMap { if case .revoke(let partitions, let lost) = $0 { (partitions, lost) } else { nil } }
    }
    var partitionErrors: [KafkaError] {
        events.compactMap { if case .partitionError(_, let error) = $0 { error } else { nil } }
    }
}

/// Runs several members' loops in turns, on one thread, until the condition holds.
func runTogether(_ drivers: [Driver], until condition: () throws -> Bool) throws -> Bool {
    let deadline = ContinuousClock.now + patience
    while try !condition() {
        guard ContinuousClock.now < deadline else { return false }
        for driver in drivers { try driver.turn() }
    }
    return true
}

/// The mock holds a first join back for 3 s and evicts a joining member at its session timeout: the timeout has to be
/// the longer of the two.
func consumerProperties(_ cluster: MockKafkaCluster, group: String) -> KafkaProperties {
    [
        "bootstrap.servers": cluster.bootstrapServers, "group.id": group, "session.timeout.ms": "4000",
        "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "20", "topic.metadata.refresh.interval.ms": "1000",
    ]
}

func producer(_ cluster: MockKafkaCluster, _ properties: KafkaProperties = [:]) throws -> KafkaProducer {
    let base: KafkaProperties = ["bootstrap.servers": cluster.bootstrapServers, "linger.ms": "0"]
    return try KafkaProducer(
        properties: base.merging(properties), wake: try WakeDescriptor(), log: { _, _, _ in })
}

extension KafkaProducer {
    /// Produces values in one partition, each its own record batch, and waits for the reports.
    func send(_ values: [String], topic: String = "events", partition: Int32 = 0) throws -> [Report] {
        var reports: [Report] = []
        for (index, value) in values.enumerated() {
            try produce(
                topic: topic, partition: partition, key: nil, value: Array(value.utf8), ticket: UInt64(index))
            flush(timeoutMilliseconds: 30_000)
            reports += poll()
        }
        return reports
    }
}

func values(_ range: Range<Int>) -> [String] { range.map { "value \($0)" } }

let first = TopicPartition(topic: "events", partition: 0)
