import ClickHouseClient
import ClientStore
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router provision`: gives clients their database and tables, and makes pending ones active.
///
/// The order makes it safe to repeat after a stop at any point: that it was begun, the statements of each version with a
/// record of each (`SchemaRunner`), verification, and only then the status. Each step changes nothing where it was done
/// before.
public struct Provisioner: Sendable {
    public enum Selection: Sendable {
        case clients([ClientID])
        /// Every pending client.
        case all
    }

    public struct Options: Sendable {
        /// A folder as `clickhouse/migrations`; nil is what the program carries.
        public var directory: String?
        /// Versions above it are left for `router migrate up`.
        public var target: Int?
        public var parallel = ClientPool.defaultParallel
        /// How long to wait for somebody who is changing schemas: provisioning is often a step of a script.
        public var waitSeconds = 60
        /// Made on every server of this cluster, with Replicated engines.
        public var cluster: String?
        /// A ClickHouse user for each client that reads its own database and nothing else.
        public var makesUser = false
        /// Takes a database over that holds tables already.
        public var adopts = false

        public static let defaultParallel = ClientPool.defaultParallel
        public static let maxParallel = ClientPool.maxParallel

        public init() {}
    }

    let ledger: SchemaLedger
    let warehouse: Warehouse
    let files: MigrationFiles
    let options: Options
    private let log: Logger

    public init(settings: Settings, options: Options, log: Logger) throws {
        files = try MigrationFiles(directory: options.directory)
        ledger = try SchemaLedger(settings: settings)
        warehouse = Warehouse(settings: settings, connections: options.parallel + 1)
        self.options = options
        self.log = log
    }

    /// - Parameters:
    ///   - word: what a person should know while they wait.
    ///   - progress: called after each client, with how many are done and how many there are.
    /// - Throws: when nothing could be begun, or a client named does not exist; what one client's database refuses is in the
    ///   report, and so is what stopped the rest.
    public func provision(
        _ selection: Selection, word: @escaping @Sendable (String) -> Void,
        progress: (ProvisionReport.Client, Int, Int) -> Void
    ) async throws -> ProvisionReport {
        defer { warehouse.shutdown() }
        let records = try await select(selection)
        // A client or a version that does not exist was refused above, before anything is made.
        var cluster = options.cluster
        if cluster == nil { cluster = try await ledger.anyCluster() }
        if let remark = try await WriteProbeTable(warehouse: warehouse).make(cluster: cluster) { word(remark) }
        guard !records.isEmpty else { return ProvisionReport() }
        try await ledger.lock(.shared, waitSeconds: options.waitSeconds, word: word)
        let start = ContinuousClock.now
        var done: [String: ProvisionReport.Client] = [:]
        let failure = await ClientPool.run(records, limit: options.parallel) { record in
            try await provision(record)
        } each: { record, client in
            done[record.id.description] = client
            progress(client, done.count, records.count)
        }
        var report = ProvisionReport()
        report.clients = records.compactMap { done[$0.id.description] }
        report.seconds = Migrator.seconds(since: start)
        if let failure {
            // A user's password that was made has to be shown, whatever came later.
            guard !report.clients.isEmpty else { throw failure }
            report.stopped = "\(failure)"
        }
        return report
    }

    /// What would be sent to ClickHouse; nothing is sent but questions.
    public func dryRun(_ selection: Selection) async throws -> SchemaDryRun {
        defer { warehouse.shutdown() }
        var result = SchemaDryRun()
        for record in try await select(selection) {
            do {
                let work = try await work(record, changes: false)
                result.add(work.plan, record.id)
                if options.makesUser, work.plan.refusal == nil, work.placement?.user == nil {
                    let user = ClientUser(database: record.databaseName, cluster: work.cluster)
                    for sql in try user.statements(passwordHash: "SHA-256 of a new password") {
                        result.add(sql: sql, file: "the client's user", record.id)
                    }
                }
            } catch SchemaStop.refused(let text) {
                result.refusals.append(.init(clientID: record.id.description, detail: text))
            }
        }
        return result
    }

    private func select(_ selection: Selection) async throws -> [ClientRecord] {
        let records =
            switch selection {
            case .all: try await ledger.clients().filter { $0.status == .pending }
            case .clients(let ids): try await ledger.find(all: ids)
            }
        try files.requireVersion(options.target, of: records.map(\.id))
        return records
    }

    // MARK: One client

    private func provision(_ record: ClientRecord) async throws -> ProvisionReport.Client {
        var client = ProvisionReport.Client(
            clientID: record.id.description, clientName: record.name, databaseName: record.databaseName,
            status: record.status.rawValue, outcome: .unchanged)
        do {
            try await ledger.lock(record.id, waitSeconds: options.waitSeconds)
            do {
                // Another operator may have been at it until now.
                guard let current = try await ledger.find(record.id) else {
                    throw SchemaStop.refused("the client is gone")
                }
                try await carryOut(current, &client)
            } catch {
                try? await ledger.release(record.id)
                throw error
            }
            try await ledger.release(record.id)
        } catch SchemaStop.refused(let text) {
            client.outcome = .refused
            client.detail = text
        } catch SchemaStop.failed(let text) {
            client.outcome = .failed
            client.detail = text
        } catch let error as PostgresError where error.code == .statementFailed || error.code == .uniqueViolation {
            client.outcome = .failed
            client.detail = "\(error)"
        } catch let exception as ClickHouseException {
            // A question about this client alone was refused, or everybody's would be.
            if let trouble = await warehouse.serverTrouble(exception) { throw trouble }
            client.outcome = .failed
            client.detail = "\(exception)"
        } catch let error as ClientRepositoryError {
            client.outcome = .refused
            client.detail = error.message
        }
        if client.outcome == .failed {
            log.debug("provisioning failed", metadata: ["client": "\(record.id)", "error": "\(client.detail ?? "")"])
        }
        return client
    }

    private func carryOut(_ record: ClientRecord, _ client: inout ProvisionReport.Client) async throws {
        let work = try await work(record, changes: true)
        if let refusal = work.plan.refusal { throw SchemaStop.refused(refusal) }
        let runner = SchemaRunner(warehouse: warehouse, ledger: ledger)
        let target = SchemaRunner.Target(id: record.id, database: record.databaseName, cluster: work.cluster)
        for step in work.plan.steps { client.statements += try await runner.carryOut(step, on: target) }
        try await verify(record)
        client.schemaVersion = work.versions.map(\.version).filter { $0 <= options.target ?? Int.max }.max()
        if !work.plan.steps.isEmpty { client.outcome = .provisioned }
        var remarks = work.remarks
        if options.makesUser { remarks += try await makeUser(record, work, &client) }
        switch record.status {
        case .pending:
            client.status = try await ledger.activate(record.id).rawValue
            client.outcome = .provisioned
        case .suspended: remarks.append("the client is suspended and stays so")
        case .active, .deprovisioned: break
        }
        client.detail = remarks.isEmpty ? nil : remarks.joined(separator: "; ")
    }

    // MARK: The client's user

    /// - Returns: what a person should know.
    private func makeUser(
        _ record: ClientRecord, _ work: Work, _ client: inout ProvisionReport.Client
    ) async throws -> [String] {
        let user = ClientUser(database: record.databaseName, cluster: work.cluster)
        if let made = work.placement?.user {
            return ["it has the ClickHouse user \(made) already, whose password was shown when it was made"]
        }
        switch try await user.make(warehouse) {
        case .made(let password):
            try await ledger.note(user: user.name, of: record.id)
            client.user = user.name
            client.password = password
            return []
        case .exists:
            return [
                "no ClickHouse user was made: there is one called \(user.name), and it is not known whose; if an interrupted "
                    + "run has left it, DROP USER \(user.quotedName) and repeat the command"
            ]
        case .notAllowed(let code):
            return [
                "no ClickHouse user was made: this server has no access control for us (ClickHouse exception \(code))"
            ]
        }
    }
}
