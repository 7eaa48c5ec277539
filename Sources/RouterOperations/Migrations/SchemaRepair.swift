import PostgresClient
import RouterCore

/// A person's word against what is written down of one client's schema. It is recorded with its reason.
public struct SchemaRepair: Sendable {
    public enum Action: Sendable {
        /// The file may be another one than was applied.
        case acceptChecksum
        /// The statement was carried out, whatever was written down.
        case markDone(statement: Int)
        /// It was not; the next run sends it.
        case markNotDone(statement: Int)
    }

    public var version: Int
    public var action: Action
    public var reason: String
    /// Of the file as it is now.
    var checksum = ""
    /// Of the statement as it stands in the file now.
    var statementChecksum = ""

    public init(version: Int, action: Action, reason: String) {
        self.version = version
        self.action = action
        self.reason = reason
    }

    /// In one transaction: the change and its record.
    func carryOut(_ id: ClientID, _ connection: PostgresConnection) throws {
        switch action {
        case .acceptChecksum: try acceptChecksum(id, connection)
        case .markDone(let statement): try mark(statement, "done", "mark_done", id, connection)
        case .markNotDone(let statement): try mark(statement, nil, "mark_not_done", id, connection)
        }
    }

    private func acceptChecksum(_ id: ClientID, _ connection: PostgresConnection) throws {
        let place = [id.description, String(version)]
        let row = try connection.query(
            "SELECT checksum FROM public.schema_versions WHERE client_id = $1::uuid AND version = $2::int FOR UPDATE",
            place
        ).rows.first
        guard let before = row?["checksum"] else {
            throw OperationError(
                "repair_refused", "version \(version) was never applied to client \(id): there is no checksum to accept"
            )
        }
        guard before != checksum else {
            throw OperationError(
                "repair_refused", "the file of version \(version) is the one that was applied to client \(id)")
        }
        try connection.execute(
            "UPDATE public.schema_versions SET checksum = $3 WHERE client_id = $1::uuid AND version = $2::int",
            place + [checksum])
        try record(id, "accept_checksum", nil, before, checksum, connection)
    }

    private func mark(
        _ statement: Int, _ state: String?, _ name: String, _ id: ClientID, _ connection: PostgresConnection
    ) throws {
        let row = try connection.query(
            """
            SELECT state, EXISTS (SELECT 1 FROM public.schema_versions WHERE client_id = $1::uuid AND version = $2::int)
                   AS is_complete
              FROM public.schema_progress WHERE client_id = $1::uuid AND version = $2::int AND statement = $3::int FOR UPDATE
            """, [id.description, String(version), String(statement)]
        ).rows.first
        guard let row, let before = row["state"] else {
            throw OperationError(
                "repair_refused",
                "statement \(statement) of version \(version) was never sent for client \(id); `router migrate up` sends it"
            )
        }
        guard row["is_complete"] != "t" else {
            throw OperationError(
                "repair_refused",
                "version \(version) is complete for client \(id); what its tables lack is put right by a new migration")
        }
        let place = [id.description, String(version), String(statement)]
        if let state {
            try connection.execute(
                """
                UPDATE public.schema_progress SET state = $4, statement_checksum = $5, error = NULL,
                       finished_at = clock_timestamp()
                 WHERE client_id = $1::uuid AND version = $2::int AND statement = $3::int
                """, place + [state, statementChecksum])
        } else {
            // As if it had never been sent: what is there says `started` or `failed`, and both would be asked about again.
            try connection.execute(
                """
                DELETE FROM public.schema_progress
                 WHERE client_id = $1::uuid AND version = $2::int AND statement = $3::int
                """, place)
        }
        try record(id, name, statement, before, state ?? "not done", connection)
    }

    private func record(
        _ id: ClientID, _ action: String, _ statement: Int?, _ before: String, _ after: String,
        _ connection: PostgresConnection
    ) throws {
        try connection.execute(
            """
            INSERT INTO public.schema_repairs (client_id, version, statement, action, before, after, reason, operator)
            VALUES ($1::uuid, $2::int, $3::int, $4, $5, $6, $7, $8)
            """,
            [
                id.description, String(version), statement.map(String.init), action, before, after, reason,
                OperatorName.current,
            ])
    }
}
