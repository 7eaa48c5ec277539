/// Whether what was read is well, and what of it needs a person. Well means that work moves: committed offsets that move
/// where something waits, or nothing that waits for long, and no router that says otherwise.
enum StatusVerdict {
    static func judge(_ report: inout StatusReport, _ routers: [AskedRouter], _ limits: ProgressLimits) {
        let told = AskedRouter.partitions(routers)
        let paused = Set(report.pauses.compactMap(\.partition))
        for index in report.partitions.indices {
            let partition = report.partitions[index]
            report.partitions[index].verdict = PartitionVerdict.judge(
                partition, told[partition.partition], isPaused: paused.contains(partition.partition), limits)
        }
        let problems = servers(report) + stopped(report, told) + trouble(report, routers.compactMap(\.status))
        let progress = ProgressProblems(report: report, routers: routers, told: told, limits: limits)
        let needAPerson = progress.sentences
        let unknown = progress.unknown
        report.problems = problems + needAPerson + unknown
        if report.servers.contains(where: { !$0.ok }) {
            report.verdict = .incomplete
        } else if !problems.isEmpty || !needAPerson.isEmpty {
            report.verdict = .attention
        } else {
            report.verdict = unknown.isEmpty ? .well : .incomplete
        }
    }

    private static func servers(_ report: StatusReport) -> [String] {
        report.servers.filter { !$0.ok }.map { server in
            let remark = server.name == "redis" ? " (the router works on, and asks Postgres more often)" : ""
            return "\(server.name) does not answer\(remark): \(server.error ?? "")"
        }
    }

    private static func stopped(_ report: StatusReport, _ told: [Int32: MemberStatus.Partition]) -> [String] {
        report.partitions.filter { $0.verdict == .stopped }.map { partition in
            let reason = partition.stopped ?? told[partition.partition]?.stopped ?? ""
            return "partition \(partition.partition) stands still: \(reason)"
        }
    }

    private static func trouble(_ report: StatusReport, _ routers: [MemberStatus]) -> [String] {
        var problems: [String] = []
        for circuit in report.openCircuits {
            problems.append(
                "the destination of client \(circuit.clientID) refuses writes\(circuit.history): router doctor says why"
            )
        }
        if routers.contains(where: { $0.exactly_once == false }) {
            problems.append("delivery is at least once: the broker loses the metadata of commits")
        }
        // A router counts since it started, and Postgres keeps what any has noticed.
        let lost = max(routers.compactMap { $0.lost_to_retention }.max() ?? 0, Int64(report.lostRecords ?? 0))
        if lost > 0 {
            problems.append("\(lost.grouped) records were gone before they were delivered: router audit names them")
        }
        return problems
    }
}

extension StatusReport.Circuit {
    /// Such as ` since 2026-01-31T09:05:07Z (half open, opened 3 times)`; empty where nothing is known.
    var history: String {
        var more: [String] = []
        if state == "half_open" { more.append("half open") }
        if let openedCount, openedCount > 1 { more.append("opened \(openedCount) times") }
        return (since.map { " since \($0)" } ?? "") + (more.isEmpty ? "" : " (\(more.joined(separator: ", ")))")
    }
}
