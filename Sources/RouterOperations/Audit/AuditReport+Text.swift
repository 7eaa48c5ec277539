/// The report for a person, 100 columns wide at most.
extension AuditReport {
    /// Ranges shown of each kind; `--json` has more.
    static let maxShownRuns = 20

    public var partitionTable: TextTable {
        var table = TextTable(
            [.init("PARTITION", .right)]
                + ["LOW", "COMMITTED", "HIGH", "READABLE", "ROWS", "DEAD", "MISSING", "DOUBLE", "MISPLACED", "LOST"].map
            {
                .init($0, .right)
            })
        for one in partitions {
            table.add(
                [
                    "\(one.partition)", "\(one.low)", one.committed.map { "\($0)" } ?? "-", "\(one.high)",
                    "\(one.readable)", "\(one.rows)", "\(one.deadLettered)", "\(one.missing)", "\(one.duplicated)",
                    "\(one.misplaced)", "\(one.lost)",
                ])
        }
        return table
    }

    public var clientTable: TextTable {
        var table = TextTable(
            [.init("CLIENT", maxWidth: 36), .init("NAME", maxWidth: 16)]
                + ["READABLE", "DELIVERED", "DEAD", "REMOVED", "MISSING"].map { .init($0, .right) })
        for one in clients {
            table.add(
                [
                    one.clientID, one.clientName, "\(one.readable)", "\(one.delivered)", "\(one.deadLettered)",
                    "\(one.dropped + one.erased + one.expired)", "\(one.missing)",
                ])
        }
        return table
    }

    public var reasonTable: TextTable {
        var table = TextTable([.init("DEAD LETTERS BY REASON"), .init("EVENTS", .right)])
        for (reason, count) in deadLetteredByReason.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            table.add([reason, "\(count)"])
        }
        return table
    }

    /// Which offsets offend, and what else is to be said.
    public var findings: [String] {
        var lines = runs("missing, neither a row nor a dead letter", missingRuns, totals.missing)
        lines += runs("stored more than once", duplicatedRuns, totals.duplicated)
        if totals.misplaced > 0 {
            lines.append("\(totals.misplaced.grouped) rows in a place that is not theirs:")
            for one in misplaced.prefix(Self.maxShownRuns) {
                lines.append(
                    "  \(one.topic)/\(one.partition) \(one.offset) in \(TextTable.printable(one.database ?? "?")), of "
                        + (one.clientID.map { "client \($0)" } ?? "no client"))
            }
            if totals.misplaced > Self.maxShownRuns { lines.append("  …") }
        }
        return lines + losses + unknown
    }

    private var losses: [String] {
        guard totals.lost > 0 else { return [] }
        var lines = ["\(totals.lost.grouped) offsets lost: their records were gone before they were delivered:"]
        for one in lost.prefix(Self.maxShownRuns) {
            let range = one.count == 1 ? "\(one.from)" : "\(one.from)-\(one.to - 1)"
            lines.append(
                "  \(one.topic)/\(one.partition) \(range), \(one.count.grouped) offsets, "
                    + (one.noticedAt.map { "noticed \($0)" } ?? "not noticed by a router yet"))
        }
        if lost.count > Self.maxShownRuns { lines.append("  …") }
        return lines
    }

    private var unknown: [String] {
        guard !unknownClients.isEmpty else { return [] }
        let head = "\(totals.unknown.grouped) offsets unknown, of clients whose table cannot be read:"
        let shown = unknownClients.prefix(Self.maxShownRuns).flatMap {
            TextWrap.lines(TextTable.oneLine($0.line), first: "  ", indent: 4)
        }
        return [head] + shown + (unknownClients.count > Self.maxShownRuns ? ["  …"] : [])
    }

    private func runs(_ what: String, _ runs: [OffsetList.Run], _ total: Int) -> [String] {
        guard total > 0 else { return [] }
        var lines = ["\(total.grouped) offsets \(what):"]
        for run in runs.prefix(Self.maxShownRuns) { lines.append("  \(topic)/\(run.partition) \(run.text)") }
        let shown = runs.prefix(Self.maxShownRuns).reduce(0) { $0 + $1.offsets.count }
        if shown < total { lines.append("  … and \((total - shown).grouped) more") }
        return lines
    }

    public var remarks: [String] {
        var lines = notes
        func add(_ count: Int, _ text: String) { if count > 0 { lines.append("\(count.grouped) \(text)") } }
        add(totals.deliveredAndDeadLettered, "offsets have a row and a dead letter; they count as delivered")
        add(totals.dropped, "rows went with a database that was deprovisioned; they were counted before")
        add(totals.erased, "rows were erased at a user's wish; they were counted before")
        add(totals.expired, "events are older than their client's table keeps rows; they have expired")
        add(Int(clamping: totals.beyondRetention), "offsets are beyond retention and cannot be judged")
        add(
            totals.rowsOfFormerLog,
            "rows have another time than the record at their offset, so they are of the log that the topic had before it "
                + "was made anew: not judged")
        add(totals.rowsWithoutRecord, "rows are of records that Kafka no longer has (compaction)")
        add(unjudged.rowsInFlight, "rows are at or past the committed offset: not judged")
        add(unjudged.deadLettersInFlight, "dead letters are at or past the committed offset: not judged")
        add(unjudged.rowsOfUnknownPartitions, "rows name a partition that the topic does not have")
        add(unjudged.deadLettersMalformed, "records of the dead-letter topic name no origin of this topic's partitions")
        return lines
    }

    public var verdict: String {
        let judged = "\(totals.readable.grouped) readable offsets below the committed ones"
        let removed = totals.dropped + totals.erased + totals.expired
        let accepted = totals.accepted > 0 ? ", \(totals.accepted.grouped) given up by a person" : ""
        let discarded = totals.discarded > 0 ? ", \(totals.discarded.grouped) discarded" : ""
        let parts =
            "\(totals.delivered.grouped) delivered, \(totals.deadLettered.grouped) dead letters" + discarded + accepted
            + (removed > 0 ? ", \(removed.grouped) removed on purpose" : "")
        if balanced { return "Balanced: \(judged): \(parts), none missing, none twice, none misplaced, none lost." }
        var faults =
            "\(totals.missing.grouped) missing, \(totals.duplicated.grouped) twice, \(totals.misplaced.grouped) misplaced"
        if totals.lost > 0 { faults += ", \(totals.lost.grouped) lost" }
        if !unknownClients.isEmpty {
            faults += ", \(totals.unknown.grouped) unknown (\(unknownClients.count.grouped) tables cannot be read)"
        }
        return "NOT balanced: \(judged): \(parts), \(faults)."
    }
}
