import PostgresClient
import RouterCore

/// The lock that lets one operator at a time change schemas: an advisory lock of Postgres, so it holds between processes
/// and machines, and Postgres itself lets go of it when the session that holds it ends, however it ends.
///
/// `router migrate up` and `repair` take the whole; `router provision` takes part in it (several may, beside each other),
/// and its client alone.
enum SchemaLock {
    enum Mode {
        case everything
        /// Beside others that do the same; `client` is then locked alone.
        case shared
    }

    /// The first half of the lock's number: "rout" in ASCII, so that other users of the database hardly meet it.
    static let space: Int32 = 0x726F_7574
    /// The second half: 0 is the whole, and a client has the hash of its id.
    static let whole: Int32 = 0

    static func key(of client: ClientID) -> Int32 {
        // Two clients with the same number wait for each other; nothing worse comes of it.
        let hash = client.description.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return Int32(bitPattern: hash == 0 ? 1 : hash)
    }

    /// - Returns: whether the lock is ours now.
    static func take(_ mode: Mode, _ connection: PostgresConnection) throws(PostgresError) -> Bool {
        let function = mode == .everything ? "pg_try_advisory_lock" : "pg_try_advisory_lock_shared"
        return try ask(connection, "SELECT \(function)($1::int, $2::int) AS taken", whole)
    }

    static func take(_ client: ClientID, _ connection: PostgresConnection) throws(PostgresError) -> Bool {
        try ask(connection, "SELECT pg_try_advisory_lock($1::int, $2::int) AS taken", key(of: client))
    }

    static func release(_ client: ClientID, _ connection: PostgresConnection) throws(PostgresError) {
        _ = try ask(connection, "SELECT pg_advisory_unlock($1::int, $2::int) AS taken", key(of: client))
    }

    private static func ask(
        _ connection: PostgresConnection, _ sql: String, _ key: Int32
    ) throws(PostgresError) -> Bool {
        try connection.query(sql, [String(space), String(key)]).rows.first?["taken"] == "t"
    }

    /// True of the session that holds the lock. A pooler that hands a session on after each transaction would lose
    /// the lock without a word; this notices.
    static let heldCondition = """
        EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
                AND classid = \(space) AND objid = \(whole))
        """

    /// Who holds it, for a person.
    static func holder(_ connection: PostgresConnection) throws(PostgresError) -> String {
        let row = try connection.query(
            """
            SELECT a.usename, coalesce(a.client_addr::text, 'this machine') AS place, a.application_name,
                   to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since, a.pid
              FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
             WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1::int::oid AND l.objid = $2::int::oid
               AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             ORDER BY a.backend_start LIMIT 1
            """, [String(space), String(whole)]
        ).rows.first
        guard let row else { return "somebody who has just finished" }
        return "\(row["usename"] ?? "?") from \(row["place"] ?? "?"), connected since \(row["since"] ?? "?") UTC "
            + "(Postgres process \(row["pid"] ?? "?"))"
    }
}
