import ClickHouseClient
import ClientStore
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router migrate`: brings the schemas of clients that are provisioned to the newest version, and says how they are.
public struct Migrator: Sendable {
    public struct Options: Sendable {
        /// A folder as `clickhouse/migrations`; nil is what the program carries.
        public var directory: String?
        /// Empty: every client that is active or suspended.
        public var clients: [ClientID] = []
        /// Versions above it are left for later.
        public var target: Int?
        /// So many clients first; the rest only when those are well.
        public var canary = 0
        public var parallel = ClientPool.defaultParallel
        /// How long to wait for another operator; 0 refuses at once.
        public var waitSeconds = 0
        public var statementSeconds = SchemaRunner.defaultStatementSeconds

        public static let defaultParallel = ClientPool.defaultParallel
        public static let maxParallel = ClientPool.maxParallel
        public static let defaultStatementSeconds = SchemaRunner.defaultStatementSeconds

        public init() {}
    }

    let files: MigrationFiles
    let options: Options
    let warehouse: Warehouse
    let ledger: SchemaLedger
    let log: Logger

    public init(settings: Settings, options: Options, log: Logger) throws {
        files = try MigrationFiles(directory: options.directory)
        self.options = options
        warehouse = Warehouse(settings: settings, connections: options.parallel + 1)
        ledger = try SchemaLedger(settings: settings)
        self.log = log
    }

    public func shutdown() { warehouse.shutdown() }

    /// One client and what is to be done for it.
    struct Job: Sendable {
        var record: ClientRecord
        var plan: SchemaPlan
        var versions: [SchemaVersion]
        var cluster: String?
    }

    // MARK: Up

    /// - Parameters:
    ///   - word: what a person should know while they wait.
    ///   - progress: called after each client, with how many are done and how many there are.
    /// - Throws: when nothing could be begun. What stops it later is in the report.
    public func up(
        word: @escaping @Sendable (String) -> Void, progress: (MigrationReport.Client, Int, Int) -> Void
    ) async throws -> MigrationReport {
        try await ledger.lock(.everything, waitSeconds: options.waitSeconds, word: word)
        let start = ContinuousClock.now
        let jobs = try await jobs()
        // By every client's place, not only those with work: a table of one server where one of a cluster is due would stay.
        let cluster = try await ledger.anyCluster()
        if let remark = try await WriteProbeTable(warehouse: warehouse).make(cluster: cluster) { word(remark) }
        if !jobs.isEmpty {
            try await SchemaRehearsal(warehouse: warehouse).removeLeftovers()
        }
        var run = Run(jobs: jobs, canary: options.canary)
        if run.canaries.count < options.canary {
            word("there are only \(run.canaries.count) clients with anything to do")
        }
        await carryOut(run.canaries, &run, progress)
        if !run.canaries.isEmpty, run.report.stopped == nil, !run.isWell {
            run.report.stopped = "a canary did not come through, so the other clients were left as they were"
        }
        if run.report.stopped == nil { await carryOut(run.others, &run, progress) }
        run.report.seconds = Self.seconds(since: start)
        return run.report
    }

    /// What one `up` has come to.
    private struct Run {
        var report = MigrationReport()
        var canaries: [Int]
        var others: [Int]
        var done = 0
        let jobs: [Job]

        init(jobs: [Job], canary: Int) {
            self.jobs = jobs
            let open = jobs.indices.filter { jobs[$0].plan.refusal == nil && !jobs[$0].plan.steps.isEmpty }
            canaries = Array(open.prefix(canary))
            let chosen = Set(canaries)
            others = jobs.indices.filter { !chosen.contains($0) }
            report.clients = jobs.indices.map { index in
                MigrationReport.Client(
                    clientID: jobs[index].record.id.description, clientName: jobs[index].record.name,
                    schemaVersion: jobs[index].currentVersion, isCanary: chosen.contains(index))
            }
        }

        var isWell: Bool { canaries.allSatisfy { report.clients[$0].outcome == .migrated } }
    }

    private func carryOut(
        _ indices: [Int], _ run: inout Run, _ progress: (MigrationReport.Client, Int, Int) -> Void
    ) async {
        let byID = Dictionary(indices.map { (run.jobs[$0].record.id, $0) }, uniquingKeysWith: { $1 })
        let (jobs, clients) = (run.jobs, run.report.clients)
        let failure = await ClientPool.run(indices.map { jobs[$0].record }, limit: options.parallel) { record in
            let index = byID[record.id] ?? 0
            return try await migrate(jobs[index], clients[index])
        } each: { record, client in
            run.report.clients[byID[record.id] ?? 0] = client
            run.report.statements += client.statements
            run.done += 1
            progress(client, run.done, jobs.count)
        }
        if let failure { run.report.stopped = "\(failure)" }
    }

    /// - Throws: what would stop every other client too: a lost lock, a server that does not answer.
    private func migrate(_ job: Job, _ before: MigrationReport.Client) async throws -> MigrationReport.Client {
        var client = before
        do {
            if let refusal = job.plan.refusal { throw SchemaStop.refused(refusal) }
            let runner = SchemaRunner(warehouse: warehouse, ledger: ledger, statementSeconds: options.statementSeconds)
            let target = SchemaRunner.Target(id: job.record.id, database: job.record.databaseName, cluster: job.cluster)
            if !job.plan.steps.isEmpty { try await requireTable(job.record) }
            for step in job.plan.steps {
                client.statements += try await runner.carryOut(step, on: target)
                client.appliedVersions.append(step.version.version)
                client.schemaVersion = max(client.schemaVersion, step.version.version)
            }
            if client.isCanary { try await checkHealth(job) }
            client.outcome = client.appliedVersions.isEmpty ? .unchanged : .migrated
            if let unknown = job.plan.unknown.last {
                client.detail = "it has version \(unknown.version), \(unknown.name), of which there is no file here"
            }
        } catch SchemaStop.refused(let text) {
            client.outcome = .refused
            client.detail = text
        } catch SchemaStop.failed(let text) {
            client.outcome = .failed
            client.detail = text
        } catch let exception as ClickHouseException {
            // A question about this client alone was refused, or everybody's would be.
            if let trouble = await warehouse.serverTrouble(exception) { throw trouble }
            client.outcome = .failed
            client.detail = "\(exception)"
        }
        return client
    }

    private func requireTable(_ record: ClientRecord) async throws {
        let shape = try await ClientWarehouse(warehouse: warehouse, database: record.databaseName).shape()
        guard shape.exists else {
            throw SchemaStop.refused(
                "\(record.databaseName).\(DestinationStatement.eventsTable) is not there; run: router provision \(record.id)"
            )
        }
    }

    // MARK: Jobs

    /// The clients in question and what each of them lacks.
    func jobs() async throws -> [Job] {
        let records: [ClientRecord]
        if options.clients.isEmpty {
            records = try await ledger.clients().filter { $0.status == .active || $0.status == .suspended }
        } else {
            records = try await ledger.find(all: options.clients)
        }
        try files.requireVersion(options.target, of: records.map(\.id))
        let applied = try await ledger.appliedOfAll()
        let progress = try await ledger.progressOfAll()
        var jobs: [Job] = []
        for record in records {
            let cluster = try await ledger.placement(record.id)?.cluster
            do {
                let versions = try files.versions(of: record.id)
                var plan = try SchemaPlan(
                    versions: versions, applied: applied[record.id] ?? [], progress: progress[record.id] ?? [:],
                    database: record.databaseName, cluster: cluster, target: options.target)
                if plan.steps.contains(where: { $0.version.version == 1 }) {
                    plan.refusal = "the client has no database yet; run: router provision \(record.id)"
                } else if record.status == .deprovisioned {
                    plan.refusal = "the client is deprovisioned"
                }
                jobs.append(Job(record: record, plan: plan, versions: versions, cluster: cluster))
            } catch let error as OperationError where error.code == "migration_invalid" {
                // A fault of a shared file concerns everyone; one of a client's own file, that client.
                guard (try? files.shared.forEach { _ = try $0.statements(database: "d", cluster: cluster) }) != nil
                else {
                    throw error
                }
                var plan = try SchemaPlan(versions: [], applied: [], progress: [:], database: "", cluster: nil)
                plan.refusal = error.message
                jobs.append(Job(record: record, plan: plan, versions: [], cluster: cluster))
            }
        }
        return jobs
    }

    /// What `up` would send; nothing is sent, and no lock is taken.
    public func dryRun() async throws -> SchemaDryRun {
        var result = SchemaDryRun()
        for job in try await jobs() { result.add(job.plan, job.record.id) }
        return result
    }

    // MARK: Repair

    public func repair(_ id: ClientID, _ repair: SchemaRepair, word: @escaping @Sendable (String) -> Void) async throws
    {
        guard repair.reason.contains(where: { !$0.isWhitespace }) else {
            throw OperationError("repair_refused", "a repair needs a reason that is not empty")
        }
        guard try await ledger.find(id) != nil else {
            throw OperationError(
                "client_not_found", "there is no client with the id \(id); `router client list` shows all")
        }
        guard let version = try files.versions(of: id).first(where: { $0.version == repair.version }) else {
            throw OperationError("repair_refused", "there is no file of version \(repair.version) for client \(id)")
        }
        var repair = repair
        repair.checksum = version.checksum
        if case .markDone(let number) = repair.action {
            let statements = try version.statements(database: "d")
            guard statements.indices.contains(number - 1) else {
                throw OperationError(
                    "repair_refused", "\(version.fileName) has \(statements.count) statements, no \(number)th")
            }
            repair.statementChecksum = statements[number - 1].checksum
        }
        try await ledger.lock(.everything, waitSeconds: options.waitSeconds, word: word)
        try await ledger.repair(id, repair)
    }
}

extension Migrator.Job {
    /// The highest version below which none is missing.
    var currentVersion: Int {
        let open = Set(plan.steps.map(\.version.version))
        return versions.map(\.version).prefix { !open.contains($0) }.max() ?? 0
    }
}
