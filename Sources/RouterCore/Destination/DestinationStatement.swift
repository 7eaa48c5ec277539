import ClickHouseNative

/// A statement for ClickHouse as a plain value: what an adapter has to send, and nothing of how.
public struct DestinationStatement: Sendable {
    public var sql: String
    /// Values of `{name:Type}` in the statement, as plain text.
    public var parameters: [(String, String)]
    public var settings: [(String, String)]
    public var queryID: String?

    public init(
        sql: String, parameters: [(String, String)] = [], settings: [(String, String)] = [], queryID: String? = nil
    ) {
        self.sql = sql
        self.parameters = parameters
        self.settings = settings
        self.queryID = queryID
    }

    /// The table that a client's events go to, in the client's database.
    public static let eventsTable = "events_base"
}

/// What a server can do, learnt once from `ServerCapabilities.question`.
public struct ServerCapabilities: Sendable, Equatable {
    /// `deduplicate_insert`, above `insert_deduplicate` where it is known. An unknown setting is an error (115), so it
    /// is sent only to those who know it.
    public var knowsDeduplicateInsert: Bool

    public init(knowsDeduplicateInsert: Bool) { self.knowsDeduplicateInsert = knowsDeduplicateInsert }

    public static let question = DestinationStatement(
        sql: "SELECT count() FROM system.settings WHERE name = 'deduplicate_insert' FORMAT RowBinary",
        settings: ReadSettings.exact(maxExecutionSeconds: 10))

    /// From the answer to `question`.
    public init(answer: [UInt8]) throws(RowBinaryError) {
        self.init(knowsDeduplicateInsert: try CountAnswer.read(answer) > 0)
    }
}

/// One number of a `SELECT count()` in RowBinary.
public enum CountAnswer {
    public static func read(_ body: [UInt8]) throws(RowBinaryError) -> UInt64 {
        var reader = RowBinaryReader(body)
        let count = try reader.readUInt64()
        guard reader.isAtEnd else {
            throw RowBinaryError(position: 8, wanted: "the end of the answer", bytesLeft: reader.bytesLeft)
        }
        return count
    }
}

enum ReadSettings {
    /// A profile may let a query that hits a limit end with the rows it has and no error (`break`), or answer from a
    /// cache. A read-back that is short by one row is a row twice, so it says what it wants.
    static func exact(maxExecutionSeconds: Int) -> [(String, String)] {
        [
            ("max_execution_time", String(maxExecutionSeconds)),
            ("timeout_overflow_mode", "throw"),
            ("read_overflow_mode", "throw"),
            ("result_overflow_mode", "throw"),
            ("use_query_cache", "0"),
        ]
    }
}
