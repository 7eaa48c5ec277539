import ClientStore

/// What `/readyz` says, check by check: whether each dependency answers and the lag is known.
enum Readiness {
    static func checks(
        _ status: ServiceStatus, _ clients: ClientSourceStatus
    ) -> [(name: String, isWell: Bool, detail: String)] {
        let isRunning = status.phase == "running"
        let known = status.partitions.filter { $0.stopped == nil }
        let stopped = status.partitions.filter { $0.stopped != nil }
        return [
            ("running", isRunning, status.phase),
            ("kafka", status.kafka_error == nil, status.kafka_error ?? "ok"),
            (
                "lag_known", isRunning && known.allSatisfy(\.isLagFresh), lagDetail(known)
            ),
            (
                "partitions", stopped.isEmpty,
                stopped.isEmpty
                    ? "none stands still"
                    : stopped.map { "\($0.partition): \($0.stopped ?? "")" }.joined(separator: "; ")
            ),
            ("clickhouse", !status.clickhouse_away, status.clickhouse_error ?? "ok"),
            ("progress", !status.stalled && status.age_seconds < maxAgeSeconds, progress(status)),
            ("postgres", clients.postgres.isReachable != false, clients.postgres.error ?? "ok"),
            // Redis is a cache: without it the service works on, so it is told and does not count.
            ("redis", true, clients.redis.isReachable == false ? "away: \(clients.redis.error ?? "")" : "ok"),
        ]
    }

    /// The pipeline's thread writes its status down several times a second: older, it hangs.
    private static let maxAgeSeconds = 5.0

    private static func progress(_ status: ServiceStatus) -> String {
        guard status.age_seconds < maxAgeSeconds else {
            return "the pipeline's thread has said nothing for \(Int(status.age_seconds)) s"
        }
        let standing = status.partitions.filter { $0.stalled_seconds > 0 && $0.pause == nil }
        guard !standing.isEmpty else { return "work moves" }
        return standing.map {
            "partition \($0.partition) has not moved for \(Int($0.stalled_seconds)) s, waiting for \($0.waiting_for ?? "?")"
        }.joined(separator: "; ")
    }

    private static func lagDetail(_ partitions: [ServiceStatus.Partition]) -> String {
        guard !partitions.isEmpty else { return "no partitions assigned" }
        let old = partitions.filter { !$0.isLagFresh }
        guard let oldest = old.max(by: { $0.watermark_age_seconds ?? 0 < $1.watermark_age_seconds ?? 0 }) else {
            return "\(partitions.count) partitions"
        }
        return "the brokers last told where the log of partition \(oldest.partition) ends "
            + "\(Int(oldest.watermark_age_seconds ?? 0)) seconds ago, and have not told of \(old.count) partitions since"
    }
}
