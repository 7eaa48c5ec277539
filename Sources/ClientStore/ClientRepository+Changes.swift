import PostgresClient
import RouterCore

/// A client to be added together with others.
public struct NewClient: Sendable {
    public var id: ClientID
    public var name: String
    public var keyHash: KeyHash
    public var database: String

    public init(id: ClientID, name: String, keyHash: KeyHash, database: String) {
        self.id = id
        self.name = name
        self.keyHash = keyHash
        self.database = database
    }
}

extension ClientRepository {
    // MARK: Names

    @discardableResult
    public func rename(_ id: ClientID, to name: String) throws -> ClientRecord {
        try check(name: name)
        let result = try connection.query(
            """
            UPDATE public.clients SET client_name = $2 WHERE client_id = $1::uuid RETURNING \(ClientRecord.columns)
            """, [id.description, name])
        guard let row = result.rows.first else { throw notFound(id) }
        return try ClientRecord(row)
    }

    // MARK: Many at once

    /// Which of these ids and databases are taken already.
    public func taken(ids: [ClientID], databases: [String]) throws -> (ids: Set<ClientID>, databases: Set<String>) {
        let rows = try connection.query(
            """
            SELECT client_id, ch_database_name FROM public.clients
             WHERE client_id = ANY($1::uuid[]) OR ch_database_name = ANY($2::text[])
            """, [Self.array(ids.map(\.description)), Self.array(databases)]
        ).rows
        let (wantedIDs, wantedDatabases) = (Set(ids), Set(databases))
        return (
            wantedIDs.intersection(rows.compactMap { $0["client_id"].flatMap { ClientID($0) } }),
            wantedDatabases.intersection(rows.compactMap { $0["ch_database_name"] })
        )
    }

    /// Adds all of them as `pending` clients, or none. `beforeCommit` runs when Postgres has taken them and before
    /// anybody can see them: what it throws undoes it all.
    public func add(_ clients: [NewClient], beforeCommit: () throws -> Void) throws {
        for client in clients {
            try check(name: client.name)
            try check(database: client.database)
        }
        do {
            try connection.transaction { connection in
                try connection.execute(
                    """
                    INSERT INTO public.clients (client_id, client_name, api_key_hash, ch_database_name)
                    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
                    """,
                    [
                        Self.array(clients.map(\.id.description)), Self.array(clients.map(\.name)),
                        Self.array(clients.map(\.keyHash.hex)), Self.array(clients.map(\.database)),
                    ])
                try beforeCommit()
            }
        } catch let error as PostgresError where error.code == .uniqueViolation {
            throw ClientRepositoryError(
                error.constraint == "clients_ch_database_name_key" ? .databaseTaken : .idTaken,
                "another operator has added one of these clients meanwhile, so none was added; run the command again")
        }
    }

    /// Postgres' text form of an array; every element in quotes, as a name may hold anything.
    static func array(_ elements: [String]) -> String {
        let quoted = elements.map { element in
            var text = "\""
            for scalar in element.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
                text.unicodeScalars.append(scalar)
            }
            return text + "\""
        }
        return "{" + quoted.joined(separator: ",") + "}"
    }

    // MARK: Retention

    /// Writes down that from now on events of so many days are kept. What held before goes on holding, for audit, until
    /// `endRetentions(_:but:)`.
    /// - Returns: what names the new period.
    public func beginRetention(_ id: ClientID, days: Int, operatorName: String) throws -> String {
        try connection.query(
            """
            INSERT INTO public.client_retention (client_id, days, operator) VALUES ($1::uuid, $2::integer, $3)
            RETURNING started_at::text AS started_at
            """, [id.description, String(days), operatorName]
        ).rows.first?.required("started_at") ?? ""
    }

    /// Ends the periods that hold, but for one.
    public func endRetentions(_ id: ClientID, but period: String?) throws {
        try connection.execute(
            """
            UPDATE public.client_retention SET ended_at = greatest(clock_timestamp(), started_at)
             WHERE client_id = $1::uuid AND ended_at IS NULL AND started_at IS DISTINCT FROM $2::timestamptz
            """, [id.description, period])
    }

    /// By client, the time (milliseconds since 1970) before which an event may have expired: the latest that any
    /// retention reached.
    public func expiryHorizons() throws -> [ClientID: Int64] {
        let rows = try connection.query(
            """
            SELECT client_id, (extract(epoch FROM max(coalesce(ended_at, clock_timestamp()) - days * interval '1 day'))
                   * 1000)::bigint AS horizon_ms
              FROM public.client_retention GROUP BY client_id
            """
        ).rows
        var horizons: [ClientID: Int64] = [:]
        for row in rows {
            if let id = ClientID(try row.required("client_id")) {
                horizons[id] = try row.requiredInteger("horizon_ms")
            }
        }
        return horizons
    }
}
