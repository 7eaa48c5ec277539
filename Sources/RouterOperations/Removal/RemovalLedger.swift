import PostgresClient
import RouterCore

/// What was removed on purpose, as Postgres keeps it: `removals` and `removed_offsets`.
struct RemovalLedger {
    enum Kind: String, Sendable { case deprovision, erasure }

    /// Whether an origin had a row, or is only not to get one.
    enum What: String, Sendable {
        case row
        case deadLetter = "dead_letter"
    }

    struct Removal: Sendable {
        var id: UUID128
        var state: String
        var rowCount: Int
    }

    let connection: PostgresConnection

    // MARK: Writing

    func begin(_ kind: Kind, _ client: ClientID, reason: String) throws -> UUID128 {
        let id = UUID128.random()
        try connection.execute(
            """
            INSERT INTO public.removals (removal_id, client_id, kind, operator, reason)
            VALUES ($1::uuid, $2::uuid, $3, $4, $5)
            """, [id.description, client.description, kind.rawValue, OperatorName.current, reason])
        return id
    }

    /// A client leaves once: the record that is there, or none yet.
    func deprovision(of client: ClientID) throws -> Removal? {
        guard
            let row = try connection.query(
                """
                SELECT removal_id, state, row_count FROM public.removals
                 WHERE client_id = $1::uuid AND kind = 'deprovision'
                """, [client.description]
            ).rows.first, let id = UUID128(try row.required("removal_id"))
        else { return nil }
        return Removal(id: id, state: try row.required("state"), rowCount: Int(try row.requiredInteger("row_count")))
    }

    /// Forgets what an earlier count of this removal said. The caller has a transaction open.
    func clear(_ removal: UUID128) throws {
        try connection.execute(
            "DELETE FROM public.removed_offsets WHERE removal_id = $1::uuid", [removal.description])
        try connection.execute(
            "UPDATE public.removals SET row_count = 0, state = 'started' WHERE removal_id = $1::uuid",
            [removal.description])
    }

    /// Adds a window; an earlier one of the same place grows by it (an erasure that is done in rounds).
    func add(
        _ window: RemovedWindow, to removal: UUID128, topic: String, partition: Int32, what: What = .row
    ) throws {
        try connection.execute(
            """
            INSERT INTO public.removed_offsets AS o
                (removal_id, topic, partition, what, first_offset, last_offset, row_count, offsets)
            VALUES ($1::uuid, $2, $3::integer, $4, $5::bigint, $6::bigint, $7::bigint, $8::int8multirange)
            ON CONFLICT (removal_id, topic, partition, what, first_offset) DO UPDATE SET
                last_offset = greatest(o.last_offset, excluded.last_offset),
                row_count = o.row_count + excluded.row_count, offsets = o.offsets + excluded.offsets
            """,
            [
                removal.description, topic, String(partition), what.rawValue, String(window.first),
                String(window.last), String(window.rowCount), window.runs.multirange,
            ])
    }

    func setCounted(_ removal: UUID128) throws {
        try connection.execute(
            """
            UPDATE public.removals SET state = 'counted', counted_at = clock_timestamp(), row_count = (
                SELECT coalesce(sum(row_count), 0) FROM public.removed_offsets
                 WHERE removal_id = $1::uuid AND what = 'row')
             WHERE removal_id = $1::uuid
            """, [removal.description])
    }

    func setDone(_ removal: UUID128) throws {
        try connection.execute(
            "UPDATE public.removals SET state = 'done', ended_at = clock_timestamp() WHERE removal_id = $1::uuid",
            [removal.description])
    }

    /// Runs `body` in a transaction. (`PostgresConnection.transaction` cannot wait for another server in between.)
    func transaction(_ body: () async throws -> Void) async throws {
        try connection.execute("BEGIN")
        do {
            try await body()
            try connection.execute("COMMIT")
        } catch {
            if (try? connection.execute("ROLLBACK")) == nil { connection.close() }
            throw error
        }
    }

    /// Forgets a removal that did not come to be.
    func delete(_ removal: UUID128) throws {
        try connection.execute("DELETE FROM public.removals WHERE removal_id = $1::uuid", [removal.description])
    }

    // MARK: Reading

    /// Clients whose databases are on their way out.
    func unfinishedDeprovisions() throws -> [String] {
        try connection.query(
            "SELECT client_id FROM public.removals WHERE kind = 'deprovision' AND state <> 'done' ORDER BY started_at"
        ).rows.compactMap { $0["client_id"] }
    }

    /// What was recorded, by topic and partition.
    func counts(of removal: UUID128) throws -> [RemovedCount] {
        try connection.query(
            """
            SELECT topic, partition, sum(row_count)::bigint AS row_count, min(first_offset) AS first_offset,
                   max(last_offset) AS last_offset
              FROM public.removed_offsets WHERE removal_id = $1::uuid AND what = 'row'
             GROUP BY topic, partition ORDER BY topic, partition
            """, [removal.description]
        ).rows.map { row in
            RemovedCount(
                topic: try row.required("topic"), partition: Int(try row.requiredInteger("partition")),
                rows: Int(try row.requiredInteger("row_count")), firstOffset: try row.requiredInteger("first_offset"),
                lastOffset: try row.requiredInteger("last_offset"))
        }
    }

    /// Calls `body` for each stored stretch of origins that a user's erasure keeps from getting a row.
    func erasedOrigins(_ topic: String, _ body: (_ partition: Int32, _ runs: OffsetRuns) -> Void) throws {
        let rows = try connection.query(
            """
            SELECT o.partition, o.offsets FROM public.removed_offsets AS o JOIN public.removals AS r USING (removal_id)
             WHERE r.kind = 'erasure' AND o.topic = $1 ORDER BY o.partition, o.first_offset
            """, [topic]
        ).rows
        for row in rows {
            guard let runs = OffsetRuns(multirange: try row.required("offsets")) else { throw unreadable(topic) }
            body(Int32(clamping: try row.requiredInteger("partition")), runs)
        }
    }

    private func unreadable(_ topic: String) -> OperationError {
        OperationError(
            "removal_unreadable",
            "a row of public.removed_offsets for \(topic) cannot be read by this version of the program")
    }

    /// Calls `body` for each stored stretch of origins of this partition that had a row and meets the range.
    func removedRows(
        _ topic: String, _ partition: Int32, _ range: Range<Int64>,
        _ body: (_ client: ClientID, _ kind: Kind, _ runs: OffsetRuns) -> Void
    ) throws {
        // A window is no wider than its width, so the index bounds the search from below, too.
        let rows = try connection.query(
            """
            SELECT r.client_id, r.kind, o.offsets FROM public.removed_offsets AS o JOIN public.removals AS r USING (removal_id)
             WHERE o.topic = $1 AND o.partition = $2::integer AND o.what = 'row' AND NOT isempty(o.offsets)
               AND o.first_offset < $4::bigint AND o.first_offset > $3::bigint - $5::bigint AND o.last_offset >= $3::bigint
            """,
            [
                topic, String(partition), String(range.lowerBound), String(range.upperBound),
                String(RemovedWindow.width),
            ]
        ).rows
        for row in rows {
            guard let client = ClientID(try row.required("client_id")),
                let kind = Kind(rawValue: try row.required("kind")),
                let runs = OffsetRuns(multirange: try row.required("offsets"))
            else {
                throw unreadable("\(topic)/\(partition)")
            }
            body(client, kind, runs)
        }
    }
}

/// How many rows of one partition were removed, as commands print it.
public struct RemovedCount: Encodable, Sendable, Equatable {
    public var topic: String
    public var partition: Int
    public var rows: Int
    public var firstOffset: Int64
    public var lastOffset: Int64

    enum CodingKeys: String, CodingKey {
        case topic, partition, rows
        case firstOffset = "first_offset"
        case lastOffset = "last_offset"
    }
}
