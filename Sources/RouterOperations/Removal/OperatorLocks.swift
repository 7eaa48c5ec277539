import PostgresClient
import RouterCore

/// What keeps two commands apart that would undo each other's counts: advisory locks of Postgres, held by the session
/// that takes them and let go with it, however it ends.
enum OperatorLocks {
    /// One operator at a time changes what a client's table holds, and none while its schema is changed.
    static func take(client id: ClientID, _ connection: PostgresConnection) throws {
        let rows = try connection.query(
            "SELECT pg_try_advisory_lock(hashtextextended('router client ' || $1, 0)) AS ours", [id.description]
        ).rows
        guard rows.first?["ours"] == "t", try SchemaLock.take(.shared, connection),
            try SchemaLock.take(id, connection)
        else {
            throw OperationError(
                "client_busy",
                "another operator is removing rows of client \(id), or provisions or migrates it; run the command again when that has ended",
                isRetriable: true)
        }
    }

    /// No replay of dead letters and no rebuild puts rows of this topic back meanwhile: they take the same lock.
    static func take(topic: String, _ connection: PostgresConnection) throws {
        let rows = try connection.query(
            "SELECT pg_try_advisory_lock(hashtextextended('router reinsert ' || $1, 0)) AS ours", [topic]
        ).rows
        guard rows.first?["ours"] == "t" else {
            throw OperationError(
                "replay_busy",
                "a replay of dead letters, a rebuild or another removal is under way for \(topic); run the command again when "
                    + "it has ended",
                isRetriable: true)
        }
    }
}
