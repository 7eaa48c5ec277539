import PostgresClient
import RouterCore

/// The clients as commands read and change them: blocking calls on one connection, used from its thread.
///
/// Errors are `ClientRepositoryError` where the operator can do something about it, else `PostgresError`. Running
/// routers hear of every change from Postgres itself.
public struct ClientRepository {
    /// As in the constraint `clients_name_check`.
    public static let nameLimitCharacters = 200
    /// For how long a key that was replaced may go on at most. A longer time is a second key and not a rotation.
    public static let previousKeyLimitMilliseconds: Int64 = 365 * 86_400_000

    let connection: PostgresConnection

    public init(_ connection: PostgresConnection) {
        self.connection = connection
    }

    /// Adds a `pending` client. Without a database it gets the one that its id makes. `beforeCommit` runs when Postgres
    /// has taken it and before anybody can see it: what it throws undoes it.
    public func add(
        name: String, id: ClientID = .random(), database: String? = nil, keyHash: KeyHash,
        beforeCommit: (ClientRecord) throws -> Void = { _ in }
    ) throws -> ClientRecord {
        let database = database ?? DatabaseName.standard(for: id)
        try check(name: name)
        try check(database: database)
        do {
            return try connection.transaction { connection in
                let result = try connection.query(
                    """
                    INSERT INTO public.clients (client_id, client_name, api_key_hash, ch_database_name)
                    VALUES ($1::uuid, $2, $3, $4) RETURNING \(ClientRecord.columns)
                    """, [id.description, name, keyHash.hex, database])
                let record = try one(result, id)
                try beforeCommit(record)
                return record
            }
        } catch let error as PostgresError where error.code == .uniqueViolation {
            if error.constraint == "clients_ch_database_name_key" {
                throw ClientRepositoryError(
                    .databaseTaken, "the database \(database) belongs to another client; choose another name")
            }
            throw ClientRepositoryError(.idTaken, "a client with the id \(id) exists already")
        }
    }

    /// All clients, the oldest first.
    public func list() throws(PostgresError) -> [ClientRecord] {
        let result = try connection.query(
            "SELECT \(ClientRecord.columns) FROM public.clients ORDER BY created_at, client_id")
        var records: [ClientRecord] = []
        for row in result.rows { records.append(try ClientRecord(row)) }
        return records
    }

    /// nil when there is none.
    public func find(_ id: ClientID) throws(PostgresError) -> ClientRecord? {
        let result = try connection.query(
            "SELECT \(ClientRecord.columns) FROM public.clients WHERE client_id = $1::uuid", [id.description])
        guard let row = result.rows.first else { return nil }
        return try ClientRecord(row)
    }

    /// Changes the status if it is one of `from` now, in one step: of two operators at once one is refused.
    @discardableResult
    public func setStatus(_ id: ClientID, from: Set<ClientStatus>, to: ClientStatus) throws -> ClientRecord {
        let allowed = "{" + from.map(\.rawValue).sorted().joined(separator: ",") + "}"
        let result = try connection.query(
            """
            UPDATE public.clients SET status = $3
             WHERE client_id = $1::uuid AND status = ANY($2::text[]) RETURNING \(ClientRecord.columns)
            """, [id.description, allowed, to.rawValue])
        if let row = result.rows.first { return try ClientRecord(row) }
        guard let present = try find(id) else { throw notFound(id) }
        let names = from.map(\.rawValue).sorted().joined(separator: " or ")
        throw ClientRepositoryError(
            .statusRefused,
            "client \(id) is \(present.status.rawValue); only one that is \(names) can become \(to.rawValue)")
    }

    /// Gives the client another key. The one before stays valid for the time given; 0 ends it at once. A key before
    /// that one, from an earlier rotation, ends at once in any case. `beforeCommit` runs before the key holds: what it
    /// throws leaves the client as it was.
    @discardableResult
    public func rotateKey(
        _ id: ClientID, to keyHash: KeyHash, previousValidForMilliseconds: Int64,
        beforeCommit: (ClientRecord) throws -> Void = { _ in }
    ) throws -> ClientRecord {
        guard (0...Self.previousKeyLimitMilliseconds).contains(previousValidForMilliseconds) else {
            throw ClientRepositoryError(
                .validityInvalid, "the previous key can stay valid for 0 to 365 days")
        }
        let rotated: ClientRecord? = try connection.transaction { connection in
            let result = try connection.query(
                """
                UPDATE public.clients SET
                    previous_api_key_hash = CASE WHEN $3::bigint > 0 THEN api_key_hash END,
                    previous_api_key_expires_at = CASE WHEN $3::bigint > 0
                        THEN clock_timestamp() + $3::bigint * interval '1 millisecond' END,
                    api_key_hash = $2
                 WHERE client_id = $1::uuid AND status <> 'deprovisioned' RETURNING \(ClientRecord.columns)
                """, [id.description, keyHash.hex, String(previousValidForMilliseconds)])
            guard let row = result.rows.first else { return nil }
            let record = try ClientRecord(row)
            try beforeCommit(record)
            return record
        }
        if let rotated { return rotated }
        guard try find(id) != nil else { throw notFound(id) }
        throw ClientRepositoryError(
            .statusRefused, "client \(id) is deprovisioned: no key of it is accepted, so there is none to replace")
    }

    private func one(_ result: PostgresResult, _ id: ClientID) throws(PostgresError) -> ClientRecord {
        guard let row = result.rows.first else {
            throw PostgresError(.unexpectedResult, "client \(id): the statement returned no row", isRetriable: false)
        }
        return try ClientRecord(row)
    }

    func notFound(_ id: ClientID) -> ClientRepositoryError {
        ClientRepositoryError(.notFound, "there is no client with the id \(id); `router client list` shows all")
    }

    func check(name: String) throws(ClientRepositoryError) {
        let isBlank = name.allSatisfy(\.isWhitespace)
        // Postgres counts code points, and its text holds no zero byte.
        guard !isBlank, name.unicodeScalars.count <= Self.nameLimitCharacters, !name.utf8.contains(0) else {
            throw ClientRepositoryError(
                .nameInvalid, "a client's name has 1 to \(Self.nameLimitCharacters) characters and not only spaces")
        }
    }

    func check(database: String) throws(ClientRepositoryError) {
        do throws(DatabaseNameError) {
            try DatabaseName.validate(database)
        } catch {
            throw ClientRepositoryError(.databaseInvalid, error.description)
        }
    }
}
