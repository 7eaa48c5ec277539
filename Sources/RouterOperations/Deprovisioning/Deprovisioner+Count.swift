import ClickHouseClient
import ClientStore
import Logging
import RouterCore

/// The steps between the status and the drop: what may go, out of reach, and counted.
extension Deprovisioner {
    /// What is in the way of a drop that cannot be undone.
    func checkMayGo(
        _ record: ClientRecord, _ database: DeprovisionDatabase, _ contents: DeprovisionDatabase.Contents
    ) async throws {
        guard record.schemaVersion != nil else {
            throw OperationError(
                "database_not_ours",
                "the database \(record.databaseName) is there, but this client was never provisioned, so it is left as it is; "
                    + "drop it yourself if it is of no use")
        }
        guard !(contents.hasLive && contents.hasSealed) else {
            throw OperationError(
                "database_unexpected",
                "\(record.databaseName) has both \(DestinationStatement.eventsTable) and "
                    + "\(DeprovisionDatabase.sealedTable); see whose rows they hold, and drop or rename one of them")
        }
        for table in [DestinationStatement.eventsTable, DeprovisionDatabase.sealedTable]
        where table == contents.eventsTable {
            guard try await !database.holdsRows(notOf: record.id, in: table) else {
                throw OperationError(
                    "database_holds_others",
                    "\(record.databaseName).\(table) holds rows that say to be of another client; `router audit` names them. "
                        + "Nothing was dropped")
            }
        }
    }

    /// Takes the table out of reach and waits for whoever still has it in hand.
    func seal(
        _ record: ClientRecord, _ database: DeprovisionDatabase, _ contents: DeprovisionDatabase.Contents
    ) async throws -> EventRowsToRemove {
        if contents.hasLive {
            try await database.seal()
            log.info("deprovision: sealed", metadata: ["client": "\(record.id)"])
        }
        try await Settling(warehouse: warehouse, log: log).waitForQuiet(record.id)
        var rows = database.rows(DeprovisionDatabase.sealedTable)
        // A database without the table: there is nothing to count, and the rest of it goes.
        if !contents.hasLive, !contents.hasSealed { rows.condition = "" }
        return rows
    }

    func count(_ rows: EventRowsToRemove, _ removal: UUID128, _ kafka: LogStarts) async throws {
        guard !rows.condition.isEmpty else { return }
        let extents = try await rows.extents()
        try await ledger.transaction {
            try ledger.clear(removal)
            for extent in extents {
                let start = try kafka.start(extent.topic, extent.partition) ?? .max
                try await add(extent, rows, removal, below: start)
                try await rows.offsets(of: extent, from: start) { offsets in
                    for window in RemovedWindow.cut(ascending: offsets) {
                        try ledger.add(window, to: removal, topic: extent.topic, partition: extent.partition)
                    }
                }
            }
            try ledger.setCounted(removal)
        }
    }

    /// Records that Kafka no longer has cannot be judged: of their rows only the number is kept.
    private func add(
        _ extent: EventRowsToRemove.Extent, _ rows: EventRowsToRemove, _ removal: UUID128, below start: Int64
    ) async throws {
        guard extent.lowest < start else { return }
        let last = min(extent.highest, start - 1)
        var below = rows
        below.condition =
            "source_topic = \(SQLText.literal(extent.topic)) AND source_partition = \(extent.partition) "
            + "AND source_offset < \(start)"
        let count = try await below.count()
        try ledger.add(
            RemovedWindow(first: max(0, extent.lowest), last: max(0, last), rowCount: count, runs: OffsetRuns()),
            to: removal, topic: extent.topic, partition: extent.partition)
    }

    func checkUnchanged(_ rows: EventRowsToRemove, _ removal: UUID128) async throws {
        guard !rows.condition.isEmpty else { return }
        let counted = try ledger.counts(of: removal).reduce(0) { $0 + $1.rows }
        let present = try await rows.count()
        guard counted == present else {
            throw OperationError(
                "count_changed",
                "\(rows.database).\(rows.table) holds \(present) rows, and \(counted) were counted a moment ago: somebody "
                    + "changes it; nothing was dropped, run the command again",
                isRetriable: true)
        }
    }
}
