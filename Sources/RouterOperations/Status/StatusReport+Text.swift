extension StatusReport {
    /// Partitions of the table: those that are furthest behind.
    private static let maxPartitionRows = 12
    private static let labelWidth = 15

    /// The screen, in lines of at most `TextTable.maxWidth` characters; `style` colours the verdict.
    public func lines(style: (String, Verdict) -> String) -> [String] {
        var lines = entry("router", "group \(group), topic \(topic), \(at)")
        switch verdict {
        case .well: lines += ["", style("All is well.", .well)]
        case .attention: lines += ["", style("Something needs a person.", .attention)]
        case .incomplete: lines += ["", style("Not everything could be asked.", .incomplete)]
        }
        for problem in problems { lines += TextWrap.lines(problem, first: "  - ", indent: 4) }
        lines.append("")
        lines += entry("servers", servers.map(Self.words).joined(separator: ", "))
        lines += memberLines
        lines += entry("lag", lagWords)
        if let producedPerSecond, let deliveredPerSecond {
            lines += entry(
                "events/s",
                "\(Self.rate(producedPerSecond)) produced, \(Self.rate(deliveredPerSecond)) delivered")
        }
        lines += entry("dead letters", deadLetterWords)
        lines += entry("circuits open", circuitWords)
        lines += entry("paused", pauses.isEmpty ? "nothing" : pauses.map(Self.words).joined(separator: "; "))
        let table = partitionTable
        if !table.isEmpty { lines += [""] + table.lines() }
        return lines
    }

    private func entry(_ label: String, _ text: String) -> [String] {
        TextWrap.lines(
            TextTable.printable(text), first: label + String(repeating: " ", count: Self.labelWidth - label.count),
            indent: Self.labelWidth)
    }

    private static func words(_ server: Server) -> String {
        guard server.ok else { return "\(server.name) AWAY" }
        return "\(server.name) \(server.milliseconds ?? 0) ms"
    }

    private static func words(_ pause: PauseReport.Entry) -> String {
        let subject = pause.clientID.map { "client \($0)" } ?? "partition \(pause.partition ?? -1)"
        return "\(subject) since \(pause.at.prefix(19)) by \(pause.by): \(pause.reason)"
    }

    private static func rate(_ perSecond: Double) -> String { Int(perSecond.rounded()).grouped }

    static func duration(_ seconds: Int64) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) days"
        }
    }

    private var memberLines: [String] {
        var text = "\(members.count)"
        if let groupState { text += ", group \(groupState.lowercased())" }
        var lines = entry("members", groupState == nil && members.isEmpty ? "not known" : text)
        for member in members {
            let numbers = member.partitions.map(String.init).joined(separator: " ")
            lines += entry("", "\(member.id) at \(member.host): partitions \(numbers.isEmpty ? "none" : numbers)")
        }
        for router in routers {
            lines += entry(
                "",
                "\(router.url): version \(router.version), \(router.phase) for "
                    + "\(Self.duration(Int64(router.uptimeSeconds))), \((router.bufferedBytes / 1024).grouped) KiB held"
            )
        }
        for router in unanswered { lines += entry("", "\(router.url): not asked, \(router.error)") }
        return lines
    }

    private var lagWords: String {
        guard let lag else { return "not known" }
        var text = "\(lag.grouped) records in \(partitions.count) partitions"
        if let worst = partitions.max(by: { $0.lag < $1.lag }), worst.lag > 0 {
            text += ", most in partition \(worst.partition) (\(worst.lag.grouped))"
        }
        if let oldestSeconds { text += "; the oldest waits for \(Self.duration(oldestSeconds))" }
        return text
    }

    private var deadLetterWords: String {
        guard let deadLetters else { return "not known" }
        let total = deadLetters.byReason.values.reduce(0, +)
        guard total > 0 else { return "none in the last hour" }
        let reasons = deadLetters.byReason.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \($0.value.grouped)" }
        return (deadLetters.complete ? "" : "at least ") + "\(total.grouped) in the last hour: "
            + reasons.joined(separator: ", ")
    }

    private var circuitWords: String {
        if routers.isEmpty { return "not known: no router answered over HTTP" }
        return openCircuits.isEmpty ? "none" : openCircuits.map { $0.clientID + $0.history }.joined(separator: ", ")
    }

    private var partitionTable: TextTable {
        var table = TextTable([
            .init("PARTITION", .right), .init("COMMITTED", .right, maxWidth: 19),
            .init("LOG END", .right, maxWidth: 19),
            .init("LAG", .right, maxWidth: 19), .init("OLDEST", .right, maxWidth: 10), .init("STATE", maxWidth: 12),
            .init("WAITING FOR", maxWidth: 24),
        ])
        let paused = Set(pauses.compactMap(\.partition))
        let shown = partitions.sorted { ($1.lag, $0.partition) < ($0.lag, $1.partition) }.prefix(Self.maxPartitionRows)
        for one in shown.sorted(by: { $0.partition < $1.partition }) {
            table.add([
                "\(one.partition)", one.committed.map { $0.grouped } ?? "-", one.high.grouped, one.lag.grouped,
                one.oldestSeconds.map(Self.duration) ?? "",
                [.stopped, .stalled].contains(one.verdict)
                    ? one.verdict.rawValue : paused.contains(one.partition) ? "paused" : "",
                one.waitingFor ?? "",
            ])
        }
        return table
    }
}
