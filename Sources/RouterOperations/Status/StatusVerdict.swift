/// Whether what was read is well, and what of it needs a person.
enum StatusVerdict {
    static func judge(_ report: inout StatusReport, _ routers: [MemberStatus]) {
        var problems: [String] = []
        for server in report.servers where !server.ok {
            let remark = server.name == "redis" ? " (the router works on, and asks Postgres more often)" : ""
            problems.append("\(server.name) does not answer\(remark): \(server.error ?? "")")
        }
        for partition in report.partitions {
            guard let reason = partition.stopped else { continue }
            problems.append("partition \(partition.partition) stands still: \(reason)")
        }
        for client in report.openCircuits {
            problems.append("the destination of client \(client) refuses writes: router doctor says why")
        }
        if routers.contains(where: { $0.exactly_once == false }) {
            problems.append("delivery is at least once: the broker loses the metadata of commits")
        }
        // A router counts since it started, and Postgres keeps what any has noticed.
        let lost = max(routers.compactMap { $0.lost_to_retention }.max() ?? 0, Int64(report.lostRecords ?? 0))
        if lost > 0 {
            problems.append("\(lost.grouped) records were gone before they were delivered: router audit names them")
        }
        if let lag = report.lag, lag > 0, report.members.isEmpty, report.routers.isEmpty {
            problems.append("\(lag.grouped) records wait and no router reads them: start router run")
        }
        report.problems = problems
        report.verdict =
            report.servers.contains { !$0.ok } ? .incomplete : problems.isEmpty ? .well : .attention
    }
}
