import PostgresClient
import RouterCore

/// Records that a fix-up gave to a client which they do not name themselves, in Postgres: only by it does an audit know
/// that such a row is where it belongs.
struct MendedOrigins: Sendable {
    private(set) var clients: [Int32: [Int64: ClientID]] = [:]

    func client(_ partition: Int32, _ offset: Int64) -> ClientID? { clients[partition]?[offset] }

    /// A database without the table (an older schema) has none.
    static func load(_ connection: PostgresConnection, topic: String) throws -> MendedOrigins {
        var mended = MendedOrigins()
        do throws(PostgresError) {
            let rows = try connection.query(
                "SELECT partition, kafka_offset, client_id FROM public.replay_mended WHERE topic = $1", [topic]
            ).rows
            for row in rows {
                guard let client = ClientID(try row.required("client_id")) else { continue }
                let partition = Int32(clamping: try row.requiredInteger("partition"))
                mended.clients[partition, default: [:]][try row.requiredInteger("kafka_offset")] = client
            }
        } catch {
            if error.sqlState == "42P01" { return MendedOrigins() }
            throw error
        }
        return mended
    }

    static func add(
        _ connection: PostgresConnection, topic: String, run: UUID128,
        _ mended: [(key: ReplayRound.Key, client: ClientID)]
    ) throws(PostgresError) {
        guard !mended.isEmpty else { return }
        func array(_ values: [String]) -> String { "{" + values.joined(separator: ",") + "}" }
        try connection.execute(
            """
            INSERT INTO public.replay_mended (topic, partition, kafka_offset, client_id, run_id)
            SELECT $1, p, o, c, $2::uuid FROM unnest($3::integer[], $4::bigint[], $5::uuid[]) AS m (p, o, c)
            ON CONFLICT (topic, partition, kafka_offset) DO UPDATE
               SET client_id = excluded.client_id, run_id = excluded.run_id, at = now()
            """,
            [
                topic, run.description, array(mended.map { String($0.key.partition) }),
                array(mended.map { String($0.key.offset) }), array(mended.map(\.client.description)),
            ])
    }
}
