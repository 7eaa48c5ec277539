import KafkaClient
import Metrics

/// `router_retention_headroom_seconds`: how long until Kafka's retention deletes the oldest record of a partition that is
/// not delivered. It has a value where the age of that record is known. Used by the thread of `LagWatch` alone.
///
/// Where retention is by size (`retention.bytes`), records may go earlier: Kafka does not tell when.
final class RetentionHeadroom {
    /// How often the topic's `retention.ms` is asked for again …
    private static let readMilliseconds: Int64 = 300_000
    /// … and when it could not be read.
    private static let retryMilliseconds: Int64 = 15_000
    private static let timeoutMilliseconds = 4_000

    private let topic: String
    private var gauges: [Int32: Gauge] = [:]
    private var retentionMilliseconds: Int64?
    private var nextReadMilliseconds: Int64 = 0

    init(topic: String) {
        self.topic = topic
    }

    func update(_ partitions: [ServiceStatus.Partition], _ queries: KafkaQueries) throws {
        let now = Clock.monotonicMilliseconds()
        if now >= nextReadMilliseconds {
            nextReadMilliseconds = now + Self.retryMilliseconds
            retentionMilliseconds = nil
            retentionMilliseconds = try readRetention(queries)
            nextReadMilliseconds = now + Self.readMilliseconds
        }
        var found: [Int32: Double] = [:]
        if let retentionMilliseconds {
            for partition in partitions {
                // Where nothing waits it is the whole retention: what a record that came now would have.
                guard let age = partition.lag_seconds else { continue }
                found[partition.partition] = Double(retentionMilliseconds) / 1000 - age
            }
        }
        for (partition, gauge) in gauges where found[partition] == nil {
            gauge.destroy()
            gauges[partition] = nil
        }
        for (partition, seconds) in found {
            let gauge = gauges[partition] ?? makeGauge(partition)
            gauges[partition] = gauge
            gauge.record(seconds)
        }
    }

    /// Nothing is known any more, and no old number is shown for it.
    func clear() {
        for gauge in gauges.values { gauge.destroy() }
        gauges = [:]
    }

    private func makeGauge(_ partition: Int32) -> Gauge {
        Gauge(
            label: "router_retention_headroom_seconds",
            dimensions: [("topic", topic), ("partition", String(partition))])
    }

    /// nil where nothing is deleted by age, or the broker does not tell.
    private func readRetention(_ queries: KafkaQueries) throws -> Int64? {
        let text = try KafkaAdmin(queries.handle).topicConfiguration(
            topic, timeoutMilliseconds: Self.timeoutMilliseconds)["retention.ms"]
        return text.flatMap { Int64($0) }.flatMap { $0 > 0 ? $0 : nil }
    }
}
