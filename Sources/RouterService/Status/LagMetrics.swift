import Metrics

/// `router_consumer_lag` and `router_consumer_lag_seconds`. What is not known is no series: a number that stands still
/// looks like a partition that does.
final class LagMetrics {
    private var records: [Int32: Gauge] = [:]
    private var seconds: [Int32: Gauge] = [:]

    func record(_ partition: ServiceStatus.Partition, topic: String) {
        let isFresh = partition.isLagFresh
        Self.set(
            isFresh ? partition.lag.map(Double.init) : nil, "router_consumer_lag", topic, partition.partition, &records)
        Self.set(
            isFresh ? partition.lag_seconds : nil, "router_consumer_lag_seconds", topic, partition.partition, &seconds)
    }

    /// A partition that is somebody else's now is their number to report.
    func forget(_ partition: Int32) {
        records.removeValue(forKey: partition)?.destroy()
        seconds.removeValue(forKey: partition)?.destroy()
    }

    private static func set(
        _ value: Double?, _ label: String, _ topic: String, _ partition: Int32, _ gauges: inout [Int32: Gauge]
    ) {
        guard let value else {
            gauges.removeValue(forKey: partition)?.destroy()
            return
        }
        let gauge =
            gauges[partition] ?? Gauge(label: label, dimensions: [("topic", topic), ("partition", String(partition))])
        gauges[partition] = gauge
        gauge.record(value)
    }
}
