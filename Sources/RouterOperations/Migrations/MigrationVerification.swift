import RouterCore

/// `migrate verify`: whether each client has what the files say.
public struct MigrationVerification: Encodable, Sendable {
    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        /// Files that are not the ones that were applied, and versions without a file.
        public var checksums: [String] = []
        /// What the tables are and the files do not make: `- ` expected, `+ ` found.
        public var drift: [String] = []
        /// Why the client could not be compared.
        public var detail: String?

        public var isWell: Bool { checksums.isEmpty && drift.isEmpty && detail == nil }

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case checksums, drift, detail
        }
    }

    public internal(set) var clients: [Client] = []
    public internal(set) var seconds = 0.0

    public var isWell: Bool { clients.allSatisfy(\.isWell) }
}

extension Migrator {
    /// Compares checksums, then the live tables with those of a rehearsal: one for each set of versions that clients have.
    public func verify(
        word: @escaping @Sendable (String) -> Void, progress: (MigrationVerification.Client, Int, Int) -> Void
    ) async throws -> MigrationVerification {
        // Nobody changes schemas meanwhile; several may verify.
        try await ledger.lock(.shared, waitSeconds: options.waitSeconds, word: word)
        let start = ContinuousClock.now
        let jobs = try await jobs()
        let expectations = Expectations(rehearsal: SchemaRehearsal(warehouse: warehouse))
        var result = MigrationVerification()
        let byID = Dictionary(jobs.map { ($0.record.id, $0) }, uniquingKeysWith: { $1 })
        var found: [String: MigrationVerification.Client] = [:]
        let failure = await ClientPool.run(jobs.map(\.record), limit: options.parallel) { record in
            guard let job = byID[record.id] else {
                return MigrationVerification.Client(clientID: record.id.description, clientName: record.name)
            }
            return try await verify(job, expectations)
        } each: { record, client in
            found[record.id.description] = client
            progress(client, found.count, jobs.count)
        }
        if let failure { throw failure }
        result.clients = jobs.compactMap { found[$0.record.id.description] }
        result.seconds = Self.seconds(since: start)
        return result
    }

    private func verify(_ job: Job, _ expectations: Expectations) async throws -> MigrationVerification.Client {
        var client = MigrationVerification.Client(clientID: job.record.id.description, clientName: job.record.name)
        client.checksums =
            job.plan.changed.map { "\($0.fileName) is not the file that was applied" }
            + job.plan.unknown.map { "version \($0.version), \($0.name), was applied, and there is no file of it" }
        let open = Set(job.plan.steps.map(\.version.version))
        if open.contains(1) || job.versions.isEmpty {
            client.detail = job.plan.refusal ?? "nothing was applied yet"
            return client
        }
        if let partial = job.plan.steps.first(where: { !$0.progress.isEmpty }) {
            client.detail =
                "\(partial.version.fileName) is applied in part, so the tables are between two versions; run: "
                + "router migrate up --client \(job.record.id)"
            return client
        }
        // What a missing file made is not known; all of it would look like drift.
        guard job.plan.unknown.isEmpty else { return client }
        do {
            let expected = try await expectations.schema(
                of: job.versions.filter { !open.contains($0.version) && $0.version <= options.target ?? Int.max },
                cluster: job.cluster)
            let live = try await LiveSchema.read(warehouse, database: job.record.databaseName)
            client.drift = live.difference(from: expected)
        } catch SchemaStop.failed(let text) {
            client.detail = text
        }
        return client
    }

    static func seconds(since start: ContinuousClock.Instant) -> Double {
        let passed = (ContinuousClock.now - start).components
        return Double(passed.seconds) + Double(passed.attoseconds) / 1e18
    }
}

/// Most clients have the same files: each set is rehearsed once.
private actor Expectations {
    private let rehearsal: SchemaRehearsal
    private var tasks: [String: Task<LiveSchema, any Error>] = [:]

    init(rehearsal: SchemaRehearsal) { self.rehearsal = rehearsal }

    func schema(of versions: [SchemaVersion], cluster: String?) async throws -> LiveSchema {
        let key = (versions.map(\.checksum) + [cluster ?? ""]).joined(separator: ",")
        if let task = tasks[key] { return try await task.value }
        let task = Task { [rehearsal] in try await rehearsal.schema(of: versions, cluster: cluster) }
        tasks[key] = task
        return try await task.value
    }
}
