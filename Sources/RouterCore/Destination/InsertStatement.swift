/// The INSERT of one block, or of some of its rows.
public struct InsertStatement: Sendable {
    public var database: String
    /// `insert_deduplication_token`. The table drops a token it knows even with other rows, so different rows of one
    /// block have different ones.
    public var token: String
    /// What `system.processes` and `query_log` show it by.
    public var queryID: String
    public var rowCount: Int
    /// The server stops the INSERT by itself after this, so that an unknown outcome becomes known by waiting.
    public var maxExecutionSeconds: Int
    public var capabilities: ServerCapabilities

    public init(
        database: String, token: String, queryID: String, rowCount: Int, maxExecutionSeconds: Int,
        capabilities: ServerCapabilities
    ) {
        self.database = database
        self.token = token
        self.queryID = queryID
        self.rowCount = rowCount
        self.maxExecutionSeconds = maxExecutionSeconds
        self.capabilities = capabilities
    }

    /// ClickHouse's own default for `max_insert_block_size`, some 2^20 rows: a batch is far below it.
    static let minBlockRows = 1_048_449

    /// Every query about a batch starts with this.
    public static func queryIDPrefix(batch: UUID128) -> String { "\(batch)-" }

    /// The query ids of all inserts into clients' tables, routers' and replays', as a regular expression: a client's UUID
    /// with something behind it. ClickHouse's own ids are a UUID and nothing more.
    public static let queryIDPattern = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-"

    /// Every query about a block starts with this. A batch has many blocks, one a client.
    public static func queryIDPrefix(batch: UUID128, client: ClientID) -> String { "\(batch)-\(client)-" }

    /// - Parameter ticket: something that no other attempt of any life has: ClickHouse refuses a query id that is
    ///   still running (216).
    public static func queryID(batch: UUID128, client: ClientID, ticket: String) -> String {
        queryIDPrefix(batch: batch, client: client) + ticket
    }

    /// With the table's name in quotes and not as `{db:Identifier}`: every server takes those, in every statement. The
    /// columns are named, so that a migration may add some while the router inserts.
    public var statement: DestinationStatement {
        let table = Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        return DestinationStatement(
            sql: "INSERT INTO \(table) (\(EventColumns.list)) FORMAT Native", settings: settings, queryID: queryID)
    }

    /// All that exactness needs, whatever the defaults of this version and the profile of this user say.
    private var settings: [(String, String)] {
        var settings = [
            ("insert_deduplicate", "1"),
            ("insert_deduplication_token", token),
            // A view's rows are deduplicated like the table's: without it a retry doubles them, or never brings them.
            ("deduplicate_blocks_in_dependent_materialized_views", "1"),
            // A view that throws makes the INSERT throw: else its rows would be missing for ever, silently.
            ("materialized_views_ignore_errors", "0"),
            // The answer comes when the rows are in the table. The default is 0 in 24.x, 1 in 26.x.
            ("async_insert", "0"),
            ("max_execution_time", String(maxExecutionSeconds)),
            ("timeout_overflow_mode", "throw"),
            // One block in, one block written: deduplication works by blocks.
            ("max_insert_block_size", String(max(Self.minBlockRows, rowCount * 2))),
            // The range of timestamps bounds the months of a block; where records have no timestamp of their own they
            // may be more than the default of 100, and the refusal (252) would come again with every retry.
            ("max_partitions_per_insert_block", "0"),
        ]
        if capabilities.knowsDeduplicateInsert { settings.append(("deduplicate_insert", "enable")) }
        return settings
    }
}
