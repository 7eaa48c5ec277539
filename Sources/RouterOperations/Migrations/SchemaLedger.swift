import ClientStore
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// What Postgres knows of every client's schema, over the one session that holds the lock: when that session is lost, so is
/// the lock, and nothing can be written down any more. Each statement is written down before it is sent, so a lost lock stops
/// the work before the next statement.
///
/// An actor, because several clients are worked on at once and the connection takes one statement at a time.
actor SchemaLedger {
    /// How often a lock that somebody holds is tried again.
    static let lockPauseMilliseconds = 250
    /// Longer errors of ClickHouse are cut; its own text is in the server's log.
    static let maxErrorCharacters = 1000

    private let connection: PostgresConnection
    private let repository: ClientRepository

    init(settings: Settings) throws {
        connection = try PostgresConnection(settings.postgresSettings)
        repository = ClientRepository(connection)
    }

    // MARK: The lock

    /// - Parameters:
    ///   - waitSeconds: how long to wait for whoever holds it; 0 refuses at once.
    ///   - word: called once, with who is waited for.
    func lock(_ mode: SchemaLock.Mode, waitSeconds: Int, word: @Sendable (String) -> Void) async throws {
        try await wait(waitSeconds, word, what: "another operator is changing schemas") {
            try SchemaLock.take(mode, connection)
        }
    }

    func lock(_ client: ClientID, waitSeconds: Int) async throws {
        try await wait(waitSeconds, { _ in }, what: "another operator is at work on client \(client)") {
            try SchemaLock.take(client, connection)
        }
    }

    func release(_ client: ClientID) throws { try SchemaLock.release(client, connection) }

    private func wait(
        _ seconds: Int, _ word: (String) -> Void, what: String, _ take: () throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        var isFirst = true
        while try !take() {
            let holder = try SchemaLock.holder(connection)
            guard ContinuousClock.now < deadline else {
                throw OperationError(
                    "schema_locked",
                    "\(what): \(holder); nothing was done. Run the command again when that is over, or wait for it with "
                        + "--wait SECONDS",
                    isRetriable: true)
            }
            if isFirst { word("waiting up to \(seconds) s: \(what): \(holder)") }
            isFirst = false
            try await Task.sleep(for: .milliseconds(Self.lockPauseMilliseconds))
        }
    }

    // MARK: Clients

    func clients() throws -> [ClientRecord] { try repository.list() }

    func find(_ id: ClientID) throws -> ClientRecord? { try repository.find(id) }

    /// Those that are named, each once; all of them have to exist before anything is done for the first.
    func find(all ids: [ClientID]) throws -> [ClientRecord] {
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

    func activate(_ id: ClientID) throws -> ClientStatus {
        try repository.setStatus(id, from: [.pending], to: .active).status
    }

    // MARK: Reading

    /// A version as `schema_versions` has it.
    struct Applied: Sendable, Equatable {
        var version: Int
        var name: String
        var checksum: String
    }

    /// One statement's row of `schema_progress`.
    struct Progress: Sendable, Equatable {
        enum State: String, Sendable { case started, done, failed }
        var statement: Int
        var checksum: String
        var state: State
        var queryID: String
        var schemaBefore: String?
        var error: String?
    }

    func applied(_ id: ClientID) throws -> [Applied] {
        try applied(where: "client_id = $1::uuid", [id.description])[id] ?? []
    }

    func appliedOfAll() throws -> [ClientID: [Applied]] { try applied(where: "true", []) }

    private func applied(where condition: String, _ parameters: [String]) throws -> [ClientID: [Applied]] {
        let rows = try connection.query(
            "SELECT client_id, version, name, checksum FROM public.schema_versions WHERE \(condition) ORDER BY version",
            parameters
        ).rows
        var found: [ClientID: [Applied]] = [:]
        for row in rows {
            guard let id = ClientID(try row.required("client_id")) else { continue }
            found[id, default: []].append(
                Applied(
                    version: Int(try row.requiredInteger("version")), name: try row.required("name"),
                    checksum: try row.required("checksum")))
        }
        return found
    }

    /// By version, the statements in their order.
    func progress(_ id: ClientID) throws -> [Int: [Progress]] {
        try progress(where: "client_id = $1::uuid", [id.description])[id] ?? [:]
    }

    func progressOfAll() throws -> [ClientID: [Int: [Progress]]] { try progress(where: "true", []) }

    private func progress(where condition: String, _ parameters: [String]) throws -> [ClientID: [Int: [Progress]]] {
        let rows = try connection.query(
            """
            SELECT client_id, version, statement, statement_checksum, state, query_id, schema_before, error
              FROM public.schema_progress WHERE \(condition) ORDER BY version, statement
            """, parameters
        ).rows
        var found: [ClientID: [Int: [Progress]]] = [:]
        for row in rows {
            guard let id = ClientID(try row.required("client_id")),
                let state = Progress.State(rawValue: try row.required("state"))
            else { continue }
            found[id, default: [:]][Int(try row.requiredInteger("version")), default: []].append(
                Progress(
                    statement: Int(try row.requiredInteger("statement")),
                    checksum: try row.required("statement_checksum"),
                    state: state, queryID: try row.required("query_id"), schemaBefore: row["schema_before"],
                    error: row["error"]))
        }
        return found
    }

    /// Where a client's database was made; nil when nothing was made for it yet.
    struct Placement: Sendable, Equatable {
        var cluster: String?
        var user: String?
    }

    func placement(_ id: ClientID) throws -> Placement? {
        try connection.query(
            "SELECT cluster, ch_user FROM public.schema_placement WHERE client_id = $1::uuid", [id.description]
        ).rows.first.map { Placement(cluster: $0["cluster"], user: $0["ch_user"]) }
    }

    /// The cluster that clients' databases are made on, where there is one.
    func anyCluster() throws -> String? {
        try connection.query(
            "SELECT cluster FROM public.schema_placement WHERE cluster IS NOT NULL ORDER BY client_id LIMIT 1"
        ).rows.first?["cluster"]
    }

    // MARK: Writing

    func place(_ id: ClientID, cluster: String?) throws {
        try write(
            """
            INSERT INTO public.schema_placement (client_id, cluster) SELECT $1::uuid, $2
             WHERE \(SchemaLock.heldCondition)
                ON CONFLICT (client_id) DO UPDATE SET cluster = EXCLUDED.cluster
            """, [id.description, cluster])
    }

    func note(user: String, of id: ClientID) throws {
        try write(
            """
            UPDATE public.schema_placement SET ch_user = $2 WHERE client_id = $1::uuid AND \(SchemaLock.heldCondition)
            """, [id.description, user])
    }

    /// Before the statement is sent.
    func begin(
        _ id: ClientID, version: Int, statement: SchemaStatement, queryID: String, schemaBefore: String?
    ) throws {
        try write(
            """
            INSERT INTO public.schema_progress
                   (client_id, version, statement, statement_checksum, state, query_id, schema_before)
            SELECT $1::uuid, $2::int, $3::int, $4, 'started', $5, $6 WHERE \(SchemaLock.heldCondition)
                ON CONFLICT (client_id, version, statement) DO UPDATE SET
                   statement_checksum = EXCLUDED.statement_checksum, state = 'started', query_id = EXCLUDED.query_id,
                   schema_before = EXCLUDED.schema_before, started_at = now(), finished_at = NULL,
                   duration_ms = NULL, error = NULL
            """,
            [id.description, String(version), String(statement.number), statement.checksum, queryID, schemaBefore])
    }

    func finish(_ id: ClientID, version: Int, statement: Int, error: String? = nil) throws {
        try write(
            """
            UPDATE public.schema_progress SET state = $4, error = $5, finished_at = clock_timestamp(),
                   duration_ms = greatest(0, (extract(epoch FROM clock_timestamp() - started_at) * 1000)::bigint)
             WHERE client_id = $1::uuid AND version = $2::int AND statement = $3::int AND \(SchemaLock.heldCondition)
            """,
            [
                id.description, String(version), String(statement), error == nil ? "done" : "failed",
                error.map { String($0.prefix(Self.maxErrorCharacters)) },
            ])
    }

    /// The last statement of a version is done.
    func complete(_ id: ClientID, _ version: SchemaVersion) throws {
        try write(
            """
            INSERT INTO public.schema_versions (client_id, version, name, checksum, duration_ms)
            SELECT $1::uuid, $2::int, $3, $4, coalesce((SELECT sum(duration_ms) FROM public.schema_progress
                                                         WHERE client_id = $1::uuid AND version = $2::int), 0)
             WHERE \(SchemaLock.heldCondition)
                ON CONFLICT (client_id, version) DO UPDATE SET name = EXCLUDED.name, checksum = EXCLUDED.checksum,
                   applied_at = now(), duration_ms = EXCLUDED.duration_ms
            """, [id.description, String(version.version), version.name, version.checksum])
    }

    /// The client's tables are gone: what is written down of them is true no more.
    func forget(_ id: ClientID) throws {
        try connection.transaction { connection in
            guard try connection.query("SELECT \(SchemaLock.heldCondition) AS held").rows.first?["held"] == "t" else {
                throw Self.lockLost
            }
            for table in ["schema_versions", "schema_progress"] {
                try connection.execute("DELETE FROM public.\(table) WHERE client_id = $1::uuid", [id.description])
            }
        }
    }

    func repair(_ id: ClientID, _ repair: SchemaRepair) throws {
        try connection.transaction { try repair.carryOut(id, $0) }
    }

    /// A statement that touches one row if the lock is ours, and none if it is not.
    private func write(_ sql: String, _ parameters: [String?]) throws {
        let touched = try connection.execute(sql, parameters)
        guard touched == 1 else { throw Self.lockLost }
    }

    private static let lockLost = OperationError(
        "schema_lock_lost",
        "the lock on schemas is no longer ours, or the client's row is gone; nothing more was sent to ClickHouse. Is there a "
            + "pooler before Postgres that shares sessions? Then connect to Postgres itself, and run the command again",
        isRetriable: true)
}
