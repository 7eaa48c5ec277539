import ClickHouseClient
import RouterCore

/// Makes the table that the neutral write goes to: by every `router provision` and `router migrate up`, since a database
/// that an older edition provisioned has none. Making it again changes nothing.
struct WriteProbeTable {
    let warehouse: Warehouse

    /// Its rows say nothing that anybody needs; they expire so that the table never grows.
    ///
    /// - Parameter cluster: made on every server of it, with a Replicated engine, as clients' tables are.
    static func statements(cluster: String?) throws(ClusterSQLError) -> [String] {
        let plain = [
            "CREATE DATABASE IF NOT EXISTS \(Identifier.quoted(WriteProbe.database))",
            """
            CREATE TABLE IF NOT EXISTS \(WriteProbe.quotedTable) (probed_at DateTime DEFAULT now(), prober String)
            ENGINE = MergeTree ORDER BY probed_at TTL probed_at + INTERVAL 1 DAY
            """,
        ]
        guard let cluster else { return plain }
        var clustered: [String] = []
        for statement in plain { clustered.append(try ClusterSQL.statement(statement, cluster: cluster)) }
        return clustered
    }

    /// - Returns: what a person should know; nil when the table is there.
    func make(cluster: String?) async throws -> String? {
        do {
            for statement in try Self.statements(cluster: cluster) { try await warehouse.ask(statement) }
            return nil
        } catch let exception as ClickHouseException {
            // Without the right to make it the clients' own tables may still be made; nothing else is this table's fault.
            guard ServerVerdict.accessCodes.contains(exception.code) else {
                throw warehouse.refusesWrites("\(exception)")
            }
            return
                "\(WriteProbe.quotedTable) could not be made, so that the router cannot tell a client's trouble from the "
                + "server's, and waits: \(exception); see deploy/clickhouse-grants.sql"
        }
    }
}

extension Warehouse {
    /// Whether what one client's statement was refused with is the server's own trouble: by the same two functions as the
    /// service, the code first, and then a write that has nothing to do with any client.
    ///
    /// - Returns: the error that ends the whole run; nil where it is that client's own.
    func serverTrouble(_ exception: ClickHouseException) async -> OperationError? {
        guard case .suspicion = ServerVerdict(code: exception.code),
            case .refused(let refusal) = await writeProbe(prober: "router command")
        else { return nil }
        return refusesWrites(refusal)
    }

    func refusesWrites(_ refusal: String) -> OperationError {
        OperationError(
            "clickhouse_refuses_writes",
            "ClickHouse at \(endpoint) takes no writes, whoever the client: \(refusal); when it is mended, run the "
                + "command again: it goes on where it stopped", isRetriable: true)
    }
}
