import ClickHouseClient
import ClickHouseNative
import ClientStore
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router client erase-user`: the rows of one of a client's users are deleted, for good and with a record of it.
///
/// The record (`removals`, `removed_offsets`) holds origins: topic, partition, offset. Audit counts them as erased; a replay
/// of dead letters and a rebuild pass them over. It holds no user id and no hash of one (postgres/sql/09_removals.sql says
/// why), and neither do the statements: rows are found by a hash with a salt that is forgotten, and deleted by their origins.
public struct UserErasure {
    /// Rows may come back while the router redoes a batch that it had not committed; the next round takes them.
    static let maxRounds = 5
    /// How long events that were sent before the command may take to arrive: in all, and without one being committed. A
    /// batch is committed after some seconds; for longer a router is away, and its operator runs the command again.
    static let settleLimitMilliseconds = 60_000
    static let stallLimitMilliseconds = 8_000
    static let mutationLimitMilliseconds = 1_800_000
    /// ClickHouse slows inserts down when a table has 500 mutations to do.
    private static let maxMutations = 50
    private static let pollMilliseconds = 250

    private let settings: Settings
    private let log: Logger
    private let connection: PostgresConnection
    private let ledger: RemovalLedger
    private let warehouse: Warehouse

    public init(settings: Settings, log: Logger) throws {
        self.settings = settings
        self.log = log
        connection = try PostgresConnection(settings.postgresSettings)
        ledger = RemovalLedger(connection: connection)
        warehouse = Warehouse(settings: settings)
    }

    public func shutdown() { warehouse.shutdown() }

    // MARK: What would go

    public func plan(_ id: ClientID, userID: String) async throws -> ErasurePlan {
        let record = try client(id)
        let rows = try rows(record, userID)
        var plan = ErasurePlan(
            clientID: id.description, clientName: record.name, databaseName: record.databaseName,
            rows: try await rows.count(), otherTables: try await otherTables(record.databaseName))
        if let times = try await rows.times() {
            plan.oldestEvent = TimeText.rfc3339(milliseconds: times.lowerBound)
            plan.newestEvent = TimeText.rfc3339(milliseconds: times.upperBound)
        }
        return plan
    }

    private func client(_ id: ClientID) throws -> ClientRecord {
        guard let record = try ClientRepository(connection).find(id) else {
            throw OperationError(
                "client_not_found", "there is no client with the id \(id); `router client list` shows all")
        }
        guard record.status == .active || record.status == .suspended else {
            throw OperationError(
                "client_status_refused", "client \(id) is \(record.status.rawValue) and has no table to erase rows from"
            )
        }
        return record
    }

    /// By a salted hash, so that the id itself is in no statement, and in no log of ClickHouse's.
    private func rows(_ record: ClientRecord, _ userID: String) throws -> EventRowsToRemove {
        guard !userID.isEmpty else {
            throw OperationError(
                "user_id_empty", "an empty user id is that of every event without one; nothing was done")
        }
        let salt = UUID128.random().description
        var rows = EventRowsToRemove(
            warehouse: warehouse, database: record.databaseName, table: DestinationStatement.eventsTable)
        rows.condition = "SHA256(concat('\(salt)', user_id)) = unhex('\(KeyHash.sha256(of: salt + userID).hex)')"
        return rows
    }

    private func otherTables(_ database: String) async throws -> [String] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT DISTINCT table FROM system.columns WHERE database = {db:String} AND name = 'user_id' \
                AND table != {t:String} ORDER BY table FORMAT RowBinary
                """, [("db", database), ("t", DestinationStatement.eventsTable)]))
        var tables: [String] = []
        while !reader.isAtEnd { tables.append(try reader.readString()) }
        return tables
    }

    // MARK: Doing it

    public func erase(
        _ id: ClientID, userID: String, reason: String, progress: (String) -> Void
    ) async throws -> ErasureReport {
        let record = try client(id)
        try OperatorLocks.take(client: id, connection)
        try OperatorLocks.take(topic: settings.kafka.rawTopic, connection)
        let rows = try rows(record, userID)
        let kafka = try AuditKafka(settings: settings, log: log)
        let sent = try kafka.rawPartitions()
        let removal = try ledger.begin(.erasure, id, reason: reason)
        var report = ErasureReport(removalID: removal.description, clientID: id.description)
        progress("looking through the dead letters")
        report.deadLetters = try DeadLettersOfUser(settings: settings, log: log, client: id, userID: userID)
            .record(in: ledger, removal, kafka)
        try await erase(rows, removal, &report, progress)
        progress("waiting until what was sent before has arrived")
        report.unsettledPartitions = try await settle(kafka, sent)
        try await erase(rows, removal, &report, progress)
        report.remaining = try await rows.count()
        try ledger.setDone(removal)
        report.counts = try ledger.counts(of: removal)
        report.otherTables = try await otherTables(record.databaseName)
        return report
    }

    /// Rounds of recording and deleting, until there are no rows.
    private func erase(
        _ rows: EventRowsToRemove, _ removal: UUID128, _ report: inout ErasureReport, _ progress: (String) -> Void
    ) async throws {
        for _ in 0..<Self.maxRounds {
            let extents = try await rows.extents()
            guard !extents.isEmpty else { return }
            progress("erasing \(extents.reduce(0) { $0 + $1.rows }.grouped) rows")
            var statements: [String] = []
            try await ledger.transaction {
                for extent in extents {
                    // An offset below 0 is no record's; such a row was put there by hand.
                    try await rows.offsets(of: extent, from: 0) { offsets in
                        for window in RemovedWindow.cut(ascending: offsets) {
                            try ledger.add(window, to: removal, topic: extent.topic, partition: extent.partition)
                            statements += DeleteStatements(quotedTable: rows.quotedTable).statements(
                                window.runs, topic: extent.topic, partition: extent.partition)
                            report.rows += window.rowCount
                        }
                    }
                }
                try ledger.setCounted(removal)
            }
            log.info("erasure: recorded", metadata: ["client": "\(report.clientID)", "removal": "\(removal)"])
            for (index, statement) in statements.enumerated() {
                try await warehouse.ask(statement)
                if index % Self.maxMutations == Self.maxMutations - 1 { try await waitForMutations(rows) }
            }
            try await waitForMutations(rows)
        }
    }

    private func waitForMutations(_ rows: EventRowsToRemove) async throws {
        let started = ContinuousClock.now
        while true {
            var reader = RowBinaryReader(
                try await warehouse.ask(
                    """
                    SELECT count(), max(latest_fail_reason) FROM system.mutations WHERE database = {db:String} \
                    AND table = {t:String} AND NOT is_done FORMAT RowBinary
                    """, [("db", rows.database), ("t", rows.table)]))
            let open = try reader.readUInt64()
            let reason = try reader.readString()
            if open == 0 { return }
            guard reason.isEmpty, ContinuousClock.now - started < .milliseconds(Self.mutationLimitMilliseconds) else {
                throw OperationError(
                    "erasure_unfinished",
                    "ClickHouse has not deleted the rows yet\(reason.isEmpty ? "" : ": \(TextTable.oneLine(reason))"); it goes on by "
                        + "itself (system.mutations of \(rows.database)). Run the command again to see that they are gone",
                    isRetriable: true)
            }
            try await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
    }

    /// Waits until the router has committed all that had been sent when the command began: until then it may write rows
    /// again that were deleted.
    /// - Returns: partitions of which it has not, in time.
    private func settle(_ kafka: AuditKafka, _ sent: [AuditKafka.Partition]) async throws -> [Int] {
        let started = ContinuousClock.now
        var moved = started
        var before: [Int32: Int64] = [:]
        while true {
            let committed = Dictionary(
                try kafka.rawPartitions().map { ($0.id, $0.committed ?? 0) }, uniquingKeysWith: { $1 })
            let behind = sent.filter { $0.high > $0.low && (committed[$0.id] ?? 0) < $0.high }.map { Int($0.id) }
            let now = ContinuousClock.now
            if committed != before { moved = now }
            before = committed
            if behind.isEmpty || now - started >= .milliseconds(Self.settleLimitMilliseconds)
                || now - moved >= .milliseconds(Self.stallLimitMilliseconds)
            {
                return behind
            }
            try await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
    }
}
