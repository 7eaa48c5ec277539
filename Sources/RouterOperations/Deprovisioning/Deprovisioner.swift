import ClickHouseClient
import ClientStore
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router deprovision`: a client leaves, and its database with it.
///
/// The order makes it safe to repeat after a stop at any point, and leaves no row that nobody has counted:
///
/// 1. *Status.* From here on running routers, which hear of it at once, make dead letters of the client's events.
/// 2. *Settle.* What they had accepted before lands, or becomes a dead letter.
/// 3. *Seal.* The table is renamed: an insert that still comes finds no table, and its rows become dead letters. Inserts
///    that had begun are waited for. Nothing can change the table any more.
/// 4. *Count*, by topic, partition and offset, into Postgres: what audit knows these rows by.
/// 5. *Export*, when asked for, checked against the count.
/// 6. *Drop*, when the table still holds what was counted.
public struct Deprovisioner {
    public struct Options: Sendable {
        public var keepData = false
        /// The folder to export into, and how.
        public var export: (directory: String, format: ExportFormat)?

        public init() {}
    }

    let settings: Settings
    let connection: PostgresConnection
    let repository: ClientRepository
    let ledger: RemovalLedger
    let warehouse: Warehouse
    let log: Logger

    public init(settings: Settings, log: Logger) throws {
        self.settings = settings
        connection = try PostgresConnection(settings.postgresSettings)
        repository = ClientRepository(connection)
        ledger = RemovalLedger(connection: connection)
        warehouse = Warehouse(settings: settings)
        self.log = log
    }

    public func shutdown() { warehouse.shutdown() }

    // MARK: What would go

    /// Says what each client has, and changes nothing.
    public func plan(_ ids: [ClientID]) async throws -> [DeprovisionPlan] {
        var seen: Set<ClientID> = []
        let records = try ids.filter { seen.insert($0).inserted }.map { id in
            guard let record = try repository.find(id) else {
                throw OperationError(
                    "client_not_found",
                    "there is no client with the id \(id), so nothing was done; `router client list` shows all")
            }
            return record
        }
        var plans: [DeprovisionPlan] = []
        for record in records { plans.append(try await plan(record)) }
        return plans
    }

    private func plan(_ record: ClientRecord) async throws -> DeprovisionPlan {
        let database = DeprovisionDatabase(warehouse: warehouse, database: record.databaseName)
        let contents = try await database.contents()
        var plan = DeprovisionPlan(
            clientID: record.id.description, clientName: record.name, status: record.status.rawValue,
            databaseName: record.databaseName, databaseExists: contents.exists, rows: 0, bytes: contents.bytes,
            otherTables: contents.others)
        if let table = contents.eventsTable {
            let rows = database.rows(table)
            plan.rows = try await rows.count()
            if let times = try await rows.times() {
                plan.oldestEvent = TimeText.rfc3339(milliseconds: times.lowerBound)
                plan.newestEvent = TimeText.rfc3339(milliseconds: times.upperBound)
            }
        }
        return plan
    }

    // MARK: Doing it

    /// - Parameter progress: a few words about what is being done.
    /// - Throws: when nothing was done, or a server cannot be asked at all; what one client's database refuses is in the
    ///   report.
    public func deprovision(
        _ ids: [ClientID], _ options: Options, progress: (String) -> Void
    ) async throws -> DeprovisionReport {
        for id in ids { try OperatorLocks.take(client: id, connection) }
        try OperatorLocks.take(topic: settings.kafka.rawTopic, connection)
        let kafka = try options.keepData ? nil : LogStarts(settings: settings, log: log)
        var report = DeprovisionReport()
        var records: [ClientRecord] = []
        for id in ids {
            progress("status of \(id)")
            records.append(try setStatus(id, options))
            log.info("deprovision: status", metadata: ["client": "\(id)"])
        }
        report.listeningRouters = try listeningRouters()
        let changed = records.filter { $0.status != .deprovisioned }
        if !changed.isEmpty {
            progress("waiting until running routers have let go")
            try await Settling(warehouse: warehouse, log: log).wait(for: changed, routers: report.listeningRouters)
        }
        for record in records {
            report.clients.append(try await finish(record, options, kafka, progress))
        }
        return report
    }

    /// - Returns: the client as it was before.
    private func setStatus(_ id: ClientID, _ options: Options) throws -> ClientRecord {
        guard let before = try repository.find(id) else {
            throw OperationError("client_not_found", "there is no client with the id \(id) any more")
        }
        try connection.transaction { _ in
            try repository.setStatus(id, from: Set(ClientStatus.allCases), to: .deprovisioned)
            if !options.keepData, try ledger.deprovision(of: id) == nil {
                _ = try ledger.begin(.deprovision, id, reason: "")
            }
        }
        return before
    }

    /// How many routers listen for changes, as Postgres sees it.
    private func listeningRouters() throws -> Int {
        let rows = try connection.query(
            """
            SELECT count(*) AS n FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE '%(listen)'
            """
        ).rows
        return rows.first.flatMap { $0["n"] }.flatMap { Int($0) } ?? 0
    }

    private func finish(
        _ record: ClientRecord, _ options: Options, _ kafka: LogStarts?, _ progress: (String) -> Void
    ) async throws -> DeprovisionReport.Client {
        var client = DeprovisionReport.Client(
            clientID: record.id.description, clientName: record.name, databaseName: record.databaseName,
            status: ClientStatus.deprovisioned.rawValue, outcome: .unchanged)
        do {
            if let kafka {
                try await drop(record, options, kafka, &client, progress)
            } else {
                try await keep(record, options, &client, progress)
            }
        } catch let error as PostgresError where error.code != .statementFailed {
            throw error
        } catch {
            client.outcome = .failed
            client.detail = CommandText.message(error)
            log.debug("deprovisioning failed", metadata: ["client": "\(record.id)", "error": "\(error)"])
        }
        return client
    }

    private func keep(
        _ record: ClientRecord, _ options: Options, _ client: inout DeprovisionReport.Client,
        _ progress: (String) -> Void
    ) async throws {
        let database = DeprovisionDatabase(warehouse: warehouse, database: record.databaseName)
        var contents = try await database.contents()
        if contents.hasSealed, !contents.hasLive {
            // An earlier command was on its way to drop it.
            try await database.unseal()
            contents = try await database.contents()
        }
        if let removal = try ledger.deprovision(of: record.id) {
            guard removal.state != "done" else {
                client.detail = "the database is gone already: an earlier command has dropped it"
                return
            }
            try ledger.delete(removal.id)
        }
        client.outcome = .kept
        guard let table = contents.eventsTable else { return }
        client.rows = try await database.rows(table).count()
        client.export = try await export(record, database.rows(table), options, progress)
    }

    private func drop(
        _ record: ClientRecord, _ options: Options, _ kafka: LogStarts, _ client: inout DeprovisionReport.Client,
        _ progress: (String) -> Void
    ) async throws {
        guard let removal = try ledger.deprovision(of: record.id) else {
            throw OperationError(
                "removal_missing", "the record of the removal is gone from Postgres; run the command again")
        }
        let database = DeprovisionDatabase(warehouse: warehouse, database: record.databaseName)
        let contents = try await database.contents()
        guard removal.state != "done" || !contents.exists else {
            throw OperationError(
                "database_is_back",
                "\(record.databaseName) was dropped and is there again; what it holds is not this client's, so it is left as "
                    + "it is")
        }
        if contents.exists {
            try await checkMayGo(record, database, contents)
            progress("counting the rows of \(record.databaseName)")
            let rows = try await seal(record, database, contents)
            try await count(rows, removal.id, kafka)
            log.info("deprovision: counted", metadata: ["client": "\(record.id)"])
            client.export = try await export(record, rows, options, progress)
            try await checkUnchanged(rows, removal.id)
            progress("dropping \(record.databaseName)")
            try await database.drop()
            log.info("deprovision: dropped", metadata: ["client": "\(record.id)"])
        }
        client.outcome = contents.exists || removal.state != "done" ? .dropped : .unchanged
        try ledger.setDone(removal.id)
        client.counts = try ledger.counts(of: removal.id)
        client.rows = client.counts.reduce(0) { $0 + $1.rows }
    }

    private func export(
        _ record: ClientRecord, _ rows: EventRowsToRemove, _ options: Options, _ progress: (String) -> Void
    ) async throws -> ExportManifest.Summary? {
        guard let (directory, format) = options.export, !rows.condition.isEmpty else { return nil }
        let exporter = EventExporter(settings: settings, rows: rows, client: record, format: format)
        defer { exporter.shutdown() }
        let summary = try await exporter.export(into: directory, progress)
        log.info("deprovision: exported", metadata: ["client": "\(record.id)"])
        return summary
    }
}
