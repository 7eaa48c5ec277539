import Foundation
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections

/// How far each partition of this member is behind, by the brokers' word: where its log ends, and how old its oldest record
/// is that is not delivered. A thread of its own that asks every few seconds, because a partition that is not fetched
/// (paused, waiting for memory, standing still) is the one that matters, and nobody else hears of its log.
final class LagWatch: Sendable {
    static let intervalMilliseconds: Int32 = 2_000

    private let settings: Settings
    private let board: StatusBoard
    private let log: Logger
    private let stopSignal = WakeSignal()
    private let ended = DispatchSemaphore(value: 0)

    init(settings: Settings, board: StatusBoard, log: Logger) {
        self.settings = settings
        self.board = board
        self.log = log
    }

    func start() {
        let thread = Thread { [self] in
            run()
            ended.signal()
        }
        thread.name = "lag"
        thread.start()
    }

    /// It does not wait for a broker: a question that hangs is left behind.
    func stop() {
        stopSignal.raise()
        _ = ended.wait(timeout: .now() + .milliseconds(500))
    }

    private func run() {
        let headroom = RetentionHeadroom(topic: settings.kafka.rawTopic)
        var look: LagLook?
        while !stopSignal.wait(timeoutMilliseconds: Self.intervalMilliseconds) {
            do {
                let current =
                    try look
                    ?? LagLook(
                        topic: settings.kafka.rawTopic, readings: board.lag,
                        reader: KafkaTimestampReader(properties: settings.kafkaGroupProperties, log: log.kafkaLog))
                look = current
                try current.run(board.current.partitions) { [stopSignal] in stopSignal.wait(timeoutMilliseconds: 0) }
                try headroom.update(board.current.partitions, current.queries)
            } catch {
                // What was heard last gets old, which `/readyz` and `/api/status` say.
                log.debug("cannot ask how far the partitions are behind", metadata: ["error": "\(error)"])
                headroom.clear()
            }
        }
        headroom.clear()
    }
}

/// One look after the other at the partitions' logs. Used by the thread of `LagWatch` alone, which it blocks.
final class LagLook {
    private static let timeoutMilliseconds = 4_000
    /// For one partition, where the question for all of them failed.
    private static let singleTimeoutMilliseconds = 500
    private static let singlesMilliseconds: Int64 = 4_000
    /// Partitions whose oldest record is fetched in one look: those with the largest lag. The others' numbers are left
    /// out and not guessed.
    private static let maxOldest = 64
    private static let oldestTimeoutMilliseconds = 2_000
    /// All of them together.
    private static let oldestBudgetMilliseconds: Int64 = 1_500
    /// How many times as long as the last fetches took nothing is fetched: some brokers ignore a fetch's size limit and
    /// hand over all they have.
    private static let restFactor: Int64 = 4
    /// An oldest record that was looked at longer ago is looked at again, though the committed offset has not moved:
    /// retention may have taken it.
    private static let lookAgainMilliseconds: Int64 = 30_000

    private let topic: String
    private let readings: LagReadings
    private let reader: KafkaTimestampReader
    private var nextOldestMilliseconds: Int64 = 0
    /// The partition that is asked first where each is asked alone: a budget must not end at the same one every time.
    private var firstSingle = 0

    var queries: KafkaQueries { reader.queries }

    init(topic: String, readings: LagReadings, reader: KafkaTimestampReader) {
        self.topic = topic
        self.readings = readings
        self.reader = reader
    }

    func run(_ partitions: [ServiceStatus.Partition], isStopped: () -> Bool) throws {
        guard !partitions.isEmpty else { return }
        try readEnds(partitions.map(\.partition))
        for partition in partitions where partition.stopped != nil { try readNext(partition.partition) }
        try readOldest(partitions, isStopped)
    }

    private func place(_ partition: Int32) -> TopicPartition { TopicPartition(topic: topic, partition: partition) }

    private func readEnds(_ partitions: [Int32]) throws {
        do {
            let ends = try queries.ends(partitions.map(place), timeoutMilliseconds: Self.timeoutMilliseconds)
            heard(ends)
        } catch {
            // One partition without a leader fails the question for all of them.
            guard partitions.count > 1 else { throw error }
            try readEndsOneByOne(partitions, failure: error)
        }
    }

    private func readEndsOneByOne(_ partitions: [Int32], failure: any Error) throws {
        let deadline = Clock.monotonicMilliseconds() + Self.singlesMilliseconds
        firstSingle = (firstSingle + 1) % partitions.count
        var isAnswered = false
        for index in partitions.indices where Clock.monotonicMilliseconds() < deadline {
            let partition = partitions[(firstSingle + index) % partitions.count]
            guard
                let ends = try? queries.ends(
                    [place(partition)], timeoutMilliseconds: Self.singleTimeoutMilliseconds), !ends.isEmpty
            else { continue }
            isAnswered = true
            heard(ends)
        }
        if !isAnswered { throw failure }
    }

    private func heard(_ ends: [TopicPartition: Int64]) {
        readings.heard(
            Dictionary(uniqueKeysWithValues: ends.map { ($0.key.partition, $0.value) }),
            atMilliseconds: Clock.monotonicMilliseconds())
    }

    /// The pipeline holds no offset of a partition that stands still.
    private func readNext(_ partition: Int32) throws {
        let committed = try queries.committed(
            [place(partition)], timeoutMilliseconds: Self.timeoutMilliseconds
        ).first?.offset
        let low = try queries.watermarks(place(partition), timeoutMilliseconds: Self.timeoutMilliseconds).low
        readings.heard(next: max(committed ?? low, low), of: partition)
    }

    private func readOldest(_ partitions: [ServiceStatus.Partition], _ isStopped: () -> Bool) throws {
        let began = Clock.monotonicMilliseconds()
        guard began >= nextOldestMilliseconds else { return }
        defer {
            nextOldestMilliseconds =
                Clock.monotonicMilliseconds() + (Clock.monotonicMilliseconds() - began) * Self.restFactor
        }
        var waiting: [(partition: Int32, next: Int64, reading: LagReading)] = []
        for partition in partitions {
            guard let reading = readings[partition.partition],
                let next = partition.stopped == nil ? partition.committed_offset : reading.next, next < reading.high
            else { continue }
            waiting.append((partition.partition, next, reading))
        }
        waiting.sort { $0.reading.high - $0.next > $1.reading.high - $1.next }
        for (partition, next, reading) in waiting.prefix(Self.maxOldest) {
            let now = Clock.monotonicMilliseconds()
            if let oldest = reading.oldest, oldest.offset == next,
                now - oldest.lookedAtMilliseconds < Self.lookAgainMilliseconds
            {
                continue
            }
            if isStopped() || now - began > Self.oldestBudgetMilliseconds { return }
            let timestamp = try reader.timestampMilliseconds(
                of: place(partition), from: next, to: reading.high,
                timeoutMilliseconds: Self.oldestTimeoutMilliseconds)
            guard let timestamp else { continue }
            readings.heard(
                oldest: .init(offset: next, timestampMilliseconds: timestamp, lookedAtMilliseconds: now), of: partition)
        }
    }
}
