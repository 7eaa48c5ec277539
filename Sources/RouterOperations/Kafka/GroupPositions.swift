import KafkaClient
import RouterCore
import RouterDatabase

/// Where a group stands in one partition, and whether a router can go on there.
struct GroupPosition: Sendable {
    var partition: TopicPartition
    var low: Int64
    /// One past the log's last offset.
    var high: Int64
    /// nil when nothing is committed.
    var committed: Int64?
    var decision: StartDecision
    /// Somebody accepted where the partition goes on, and no router has taken it yet.
    var isAccepted: Bool

    /// The first offset that is not known to be delivered and that the log still holds.
    var next: Int64 { max(committed ?? low, low) }
    var lag: Int64 { max(0, high - next) }

    /// - Parameter progress: what Postgres remembers; empty where it cannot be asked.
    static func read(
        _ partitions: [TopicPartition], progress: PartitionProgress, _ queries: KafkaQueries, timeoutMilliseconds: Int
    ) throws(KafkaError) -> [GroupPosition] {
        var positions: [GroupPosition] = []
        for entry in try queries.committed(partitions, timeoutMilliseconds: timeoutMilliseconds) {
            if let error = entry.error { throw error }
            let (low, high) = try queries.watermarks(entry.partition, timeoutMilliseconds: timeoutMilliseconds)
            positions.append(
                GroupPosition(
                    partition: entry.partition, low: low, high: high, committed: entry.offset,
                    decision: StartDecision.decide(
                        committed: entry.offset.map { ($0, entry.metadata) },
                        progressOffset: progress.completed[entry.partition.partition], low: low, high: high),
                    isAccepted: progress.accepted.contains(entry.partition.partition)))
        }
        return positions
    }

    /// Why the partition stands still; nil when a router can go on.
    var stopReason: String? {
        if case .stop(let reason) = decision, !isAccepted { return reason }
        return nil
    }
}
