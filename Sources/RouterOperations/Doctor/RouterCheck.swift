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
        Self.progress(status, ProgressLimits(settings: settings), findings)
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
                    + Findings.some(circuits.map(Self.words), limit: 2),
                "see clickhouse.tables; mend it, then replay the dead letters (destination_unavailable)")
        }
    }

    private static func words(_ circuit: MemberStatus.Circuit) -> String {
        circuit.client_id
            + StatusReport.Circuit(
                clientID: circuit.client_id, state: circuit.state ?? "open", since: circuit.since,
                openedCount: circuit.opened_count
            ).history
    }

    /// One fault for each thing that is waited for.
    static func progress(_ status: MemberStatus, _ limits: ProgressLimits, _ findings: Findings) {
        let stalled = (status.partitions ?? []).filter {
            $0.stopped == nil && $0.stalled_seconds.map { !limits.isYoung($0) } ?? false
        }
        for (waitingFor, partitions) in Dictionary(grouping: stalled, by: \.waiting_for).sorted(by: {
            $0.key ?? "" < $1.key ?? ""
        }) {
            let numbers = partitions.map(\.partition).sorted()
            let seconds = partitions.compactMap(\.stalled_seconds).max() ?? 0
            // A pause is a decision, and no fault.
            let say = waitingFor == WaitingAdvice.pause ? findings.warning : findings.fault
            say(
                "router.progress",
                (numbers.count == 1 ? "partition " : "partitions ")
                    + Findings.some(numbers.map { "\($0)" }, limit: 8)
                    + (numbers.count == 1 ? " does" : " do") + " not move for "
                    + "\(StatusReport.duration(Int64(seconds))), waiting for "
                    + (waitingFor ?? "what the router does not say"),
                WaitingAdvice.advice(waitingFor, partitions: numbers))
        }
        if stalled.isEmpty, status.stalled == true {
            findings.fault(
                "router.progress", "the router says that its work stands still",
                WaitingAdvice.advice(nil, partitions: []))
        } else if stalled.isEmpty {
            findings.ok("router.progress", "no partition has stood still for longer than a batch takes")
        }
    }
}
