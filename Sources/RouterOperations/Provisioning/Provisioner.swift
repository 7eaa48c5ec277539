import ClientStore
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router provision`: gives clients their database and tables, and makes pending ones active.
///
/// The order makes it safe to repeat after a stop at any point: tables, the record of their version, verification, and
/// only then the status. Each step changes nothing where it was done before.
public struct Provisioner {
    public enum Selection: Sendable {
        case clients([ClientID])
        /// Every pending client.
        case all
    }

    private let connection: PostgresConnection
    private let repository: ClientRepository
    private let warehouse: Warehouse
    private let log: Logger

    public init(settings: Settings, log: Logger) throws {
        connection = try PostgresConnection(settings.postgresSettings)
        repository = ClientRepository(connection)
        warehouse = Warehouse(settings: settings)
        self.log = log
    }

    /// - Parameter progress: called after each client.
    /// - Throws: when Postgres or ClickHouse cannot be asked at all, or a client named does not exist; what one client's
    ///   database refuses is in the report, and the next client follows.
    public func provision(
        _ selection: Selection, progress: (ProvisionReport.Client) -> Void
    ) async throws -> ProvisionReport {
        let records = try select(selection)
        defer { warehouse.shutdown() }
        if !records.isEmpty { try await warehouse.ask("SELECT 1 FORMAT RowBinary") }
        var report = ProvisionReport()
        for record in records {
            let client = try await provision(record)
            report.clients.append(client)
            progress(client)
        }
        return report
    }

    /// Every one named has to exist before anything is done for the first.
    private func select(_ selection: Selection) throws -> [ClientRecord] {
        switch selection {
        case .all: return try repository.list().filter { $0.status == .pending }
        case .clients(let ids):
            var seen: Set<ClientID> = []
            return try ids.filter { seen.insert($0).inserted }.map { id in
                guard let record = try repository.find(id) else {
                    throw OperationError(
                        "client_not_found",
                        "there is no client with the id \(id), so nothing was done; `router client list` shows all")
                }
                return record
            }
        }
    }

    private func provision(_ record: ClientRecord) async throws -> ProvisionReport.Client {
        var client = ProvisionReport.Client(
            clientID: record.id.description, clientName: record.name, databaseName: record.databaseName,
            status: record.status.rawValue, outcome: .unchanged)
        do {
            guard record.status != .deprovisioned else {
                throw Refusal("the client is deprovisioned: its database stays gone; add it as a new client")
            }
            let start = ContinuousClock.now
            let existedBefore = try await makeTables(record)
            client.schemaVersion = try recordVersions(record.id, took: ContinuousClock.now - start)
            client.detail = try changedFiles(record.id)
            switch record.status {
            case .pending:
                client.status = try repository.setStatus(record.id, from: [.pending], to: .active).status.rawValue
                client.outcome = .provisioned
            case .suspended:
                client.detail = "the client is suspended and stays so"
            case .active, .deprovisioned: if !existedBefore { client.outcome = .provisioned }
            }
        } catch let refusal as Refusal {
            client.outcome = .refused
            client.detail = refusal.text
        } catch let error as PostgresError where error.code != .statementFailed && error.code != .uniqueViolation {
            // No client after this one would fare better.
            throw error
        } catch {
            client.outcome = .failed
            client.detail = "\(error)"
            log.debug("provisioning failed", metadata: ["client": "\(record.id)", "error": "\(error)"])
        }
        return client
    }

    /// - Returns: whether the table was there before.
    private func makeTables(_ record: ClientRecord) async throws -> Bool {
        let database = ClientWarehouse(warehouse: warehouse, database: record.databaseName)
        let table = "\(record.databaseName).\(DestinationStatement.eventsTable)"
        let before = try await database.shape()
        if before.exists {
            if let misfit = before.misfit {
                throw Refusal(
                    "\(table) exists already and \(misfit): it is not a table of this router; drop or rename it, or "
                        + "give the client another database")
            }
            if record.status == .pending, try await database.holdsRows(notOf: record.id) {
                throw Refusal(
                    "\(table) exists already and holds rows of another client; give this client another database")
            }
        }
        for version in SchemaSources.all { try await database.apply(version) }
        try await verify(database, table)
        return before.exists
    }

    /// Reads back what is there: a CREATE … IF NOT EXISTS says nothing about what it found.
    private func verify(_ database: ClientWarehouse, _ table: String) async throws {
        let shape = try await database.shape()
        guard shape.exists else { throw Refusal("\(table) is not there though ClickHouse said that it was created") }
        if let misfit = shape.misfit { throw Refusal("\(table) \(misfit)") }
        guard shape.deduplicationWindow >= TableShape.minDeduplicationWindow else {
            let setting = database.windowSetting(shape.engine)
            throw Refusal(
                "\(table) remembers the deduplication tokens of \(shape.deduplicationWindow) parts only, so a row may be "
                    + "stored twice; run: ALTER TABLE \(table) MODIFY SETTING \(setting) = 10000")
        }
    }

    // MARK: schema_versions

    /// Writes down what the client's database has; what is written already stays as it is.
    private func recordVersions(_ id: ClientID, took: Duration) throws -> Int {
        let milliseconds = took.components.seconds * 1000 + took.components.attoseconds / 1_000_000_000_000_000
        for version in SchemaSources.all {
            try connection.execute(
                """
                INSERT INTO public.schema_versions (client_id, version, name, checksum, duration_ms)
                VALUES ($1::uuid, $2::integer, $3, $4, $5::bigint) ON CONFLICT (client_id, version) DO NOTHING
                """,
                [id.description, String(version.version), version.name, version.checksum, String(milliseconds)])
        }
        return SchemaSources.all.map(\.version).max() ?? 0
    }

    /// The base schema's statements change nothing in a table that is there, so another file than the one applied is
    /// worth a word and no refusal.
    private func changedFiles(_ id: ClientID) throws -> String? {
        let rows = try connection.query(
            "SELECT version, checksum FROM public.schema_versions WHERE client_id = $1::uuid", [id.description]
        ).rows
        let applied = Dictionary(rows.map { ($0["version"], $0["checksum"]) }, uniquingKeysWith: { $1 })
        let changed = SchemaSources.all.filter { version in
            applied[String(version.version)].map { $0 != version.checksum } ?? false
        }
        guard !changed.isEmpty else { return nil }
        let names = changed.map { "version \($0.version), \($0.name)" }.joined(separator: "; ")
        return "the table was made by another edition of \(names); it fits"
    }

    /// Something that only a person can decide.
    private struct Refusal: Error {
        var text: String
        init(_ text: String) { self.text = text }
    }
}
