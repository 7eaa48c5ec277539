import RouterConfiguration

/// The router that these settings name, if one runs: what it says of itself.
struct RouterCheck {
    let settings: Settings
    let findings: Findings

    func run() {
        let url = MemberStatus.url(settings)
        let status: MemberStatus
        do {
            status = try MemberStatus.read(url)
        } catch {
            // Another machine is as good a place to ask from.
            return findings.ok("router.running", "no router answers at \(url) (\(error)), so none was asked")
        }
        guard status.group_id == settings.kafka.groupID else {
            return findings.ok(
                "router.running",
                "the router at \(url) is of the group '\(status.group_id ?? "?")', so it was not asked")
        }
        let stopped = (status.partitions ?? []).filter { $0.stopped != nil }
        if let first = stopped.first {
            findings.fault(
                "router.running",
                "\(stopped.count) of its partitions stand still; \(first.partition): \(first.stopped ?? "")",
                "router offsets show, then decide with router offsets accept")
        } else {
            findings.ok(
                "router.running",
                "version \(status.version ?? "?") at \(url), \(status.phase ?? "?"), "
                    + "\((status.partitions ?? []).count) partitions")
        }
        if status.exactly_once == false {
            findings.fault(
                "router.delivery", "it delivers at least once: the broker loses the metadata of its commits",
                "use a broker that keeps it; see kafka.metadata")
        }
        let circuits = status.open_circuits ?? []
        if circuits.isEmpty {
            findings.ok("router.circuits", "every client's destination takes its writes")
        } else {
            findings.fault(
                "router.circuits",
                "the destinations of \(circuits.count) clients refuse writes, their events become dead letters: "
                    + Findings.some(circuits.map(\.client_id), limit: 2),
                "see clickhouse.tables; mend it, then replay the dead letters (destination_unavailable)")
        }
    }
}
