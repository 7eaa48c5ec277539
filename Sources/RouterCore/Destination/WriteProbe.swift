/// The neutral write: a row into a table of the router's own, which says whether ClickHouse takes inserts at all.
///
/// A `SELECT 1` is answered by a server whose disk is full, so only a write can tell the server's trouble from one
/// client's. What it cannot see (another disk, another shard) stands in `docs/DELIVERY.md`.
public enum WriteProbe {
    /// Reserved: no client's database may have this name. Made by `router provision` and `router migrate up`.
    public static let database = "router_internal"
    public static let table = "write_probe"

    public static var quotedTable: String { Identifier.quoted(database) + "." + Identifier.quoted(table) }

    /// What the answer to `insert` says.
    public enum Outcome: Sendable, Equatable {
        /// The server takes writes.
        case taken
        /// It does not, whatever the client.
        case refused(message: String)
        /// There is no such table, so nothing is known of the server: nobody is blamed.
        case missing
    }

    /// - Parameter prober: who asks, for whoever reads the table: a life of the service, or a command's run.
    public static func insert(prober: String) -> DestinationStatement {
        DestinationStatement(
            sql: "INSERT INTO \(quotedTable) (prober) VALUES ({prober:String})", parameters: [("prober", prober)],
            settings: [
                ("async_insert", "0"), ("insert_deduplicate", "0"),
                ("max_execution_time", String(DestinationProbe.maxExecutionSeconds)),
                ("timeout_overflow_mode", "throw"),
            ])
    }

    /// What an exception with this code says of the server.
    public static func outcome(code: Int, message: String) -> Outcome {
        ServerVerdict.missingTargetCodes.contains(code) ? .missing : .refused(message: message)
    }
}
