import Foundation
import KafkaClient
import Logging
import Metrics
import PostgresClient
import RouterConfiguration
import RouterConnections

/// `router_retention_headroom_seconds`: how long until Kafka's retention deletes the oldest record of a partition that is
/// not delivered. A thread of its own that looks now and then, because a partition that is not read (paused, waiting for
/// memory) is the one that matters, and nobody else sees its records.
///
/// Where retention is by size (`retention.bytes`), records may go earlier: Kafka does not tell when.
final class RetentionWatch: Sendable {
    /// Retention is hours; an alert on it need not come within seconds.
    static let intervalMilliseconds: Int32 = 15_000
    /// The first look comes when partitions are there.
    private static let firstMilliseconds: Int32 = 2_000
    /// How often the topic's `retention.ms` is asked for again.
    private static let configurationRounds = 20
    private static let timeoutMilliseconds = 5_000
    /// Partitions whose oldest record is fetched in one round: those with the largest lag. The others' numbers are left
    /// out and not guessed.
    private static let maxPartitions = 64

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
        thread.name = "retention"
        thread.start()
    }

    /// It does not wait for a broker: a fetch that hangs is left behind.
    func stop() {
        stopSignal.raise()
        _ = ended.wait(timeout: .now() + .milliseconds(500))
    }

    private func run() {
        var gauges: [Int32: Gauge] = [:]
        var reader: KafkaTimestampReader?
        var retentionMilliseconds: Int64?
        var round = 0
        var pause = Self.firstMilliseconds
        while !stopSignal.wait(timeoutMilliseconds: pause) {
            pause = Self.intervalMilliseconds
            do {
                if round % Self.configurationRounds == 0 { retentionMilliseconds = try readRetention() }
                round += 1
                if reader == nil {
                    reader = try KafkaTimestampReader(
                        properties: settings.kafkaGroupProperties, log: log.kafkaLog)
                }
                guard let retention = retentionMilliseconds, let reader else { continue }
                let found = try headroom(retention, reader)
                for (partition, gauge) in gauges where found[partition] == nil {
                    gauge.destroy()
                    gauges[partition] = nil
                }
                for (partition, seconds) in found {
                    let gauge = gauges[partition] ?? gauge(partition)
                    gauges[partition] = gauge
                    gauge.record(seconds)
                }
            } catch {
                log.debug("cannot tell the retention headroom", metadata: ["error": "\(error)"])
                for gauge in gauges.values { gauge.destroy() }
                gauges = [:]
                reader = nil
                round = 0
            }
        }
        for gauge in gauges.values { gauge.destroy() }
    }

    private func gauge(_ partition: Int32) -> Gauge {
        Gauge(
            label: "router_retention_headroom_seconds",
            dimensions: [("topic", settings.kafka.rawTopic), ("partition", String(partition))])
    }

    /// nil where nothing is deleted by age, or the broker does not tell.
    private func readRetention() throws -> Int64? {
        let queries = try KafkaQueries(properties: settings.kafkaGroupProperties, log: log.kafkaLog)
        let text = try KafkaAdmin(queries.handle).topicConfiguration(
            settings.kafka.rawTopic, timeoutMilliseconds: Self.timeoutMilliseconds)["retention.ms"]
        return text.flatMap { Int64($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// Seconds, by partition of this member. Where nothing waits it is the whole retention: what a record that came now
    /// would have.
    private func headroom(_ retention: Int64, _ reader: KafkaTimestampReader) throws -> [Int32: Double] {
        var found: [Int32: Double] = [:]
        let partitions = board.current.partitions.sorted { $0.lag ?? 0 > $1.lag ?? 0 }
        for partition in partitions.prefix(Self.maxPartitions) {
            guard let lag = partition.lag, let high = partition.high_watermark else { continue }
            if lag == 0 {
                found[partition.partition] = Double(retention) / 1000
                continue
            }
            if stopSignal.wait(timeoutMilliseconds: 0) { return found }
            let timestamp = try reader.timestampMilliseconds(
                of: TopicPartition(topic: settings.kafka.rawTopic, partition: partition.partition),
                from: partition.committed_offset, to: high, timeoutMilliseconds: Self.timeoutMilliseconds)
            guard let timestamp else { continue }
            found[partition.partition] = Double(retention - (Clock.wallMilliseconds() - timestamp)) / 1000
        }
        return found
    }
}
