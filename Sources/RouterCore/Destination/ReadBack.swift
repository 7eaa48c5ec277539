import ClickHouseNative

/// Asks a client's table which offsets of a batch it holds. The answer is RowBinary: Int64 after Int64.
public enum ReadBack {
    /// `batch_id` alone would be the whole question. The coordinates beside it are for speed: the table has a minmax
    /// index on `source_offset`, which leaves the few granules that were written about the same time.
    public static func statement(
        database: String, batch: UUID128, topic: String, partition: Int32, offsets: Range<Int64>,
        maxExecutionSeconds: Int
    ) -> DestinationStatement {
        let table = Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        return DestinationStatement(
            sql: """
                SELECT source_offset FROM \(table) \
                WHERE batch_id = {batch:UUID} AND source_topic = {topic:String} \
                AND source_partition = {partition:Int32} \
                AND source_offset >= {lo:Int64} AND source_offset < {hi:Int64} FORMAT RowBinary
                """,
            parameters: [
                ("batch", batch.description), ("topic", topic), ("partition", String(partition)),
                ("lo", String(offsets.lowerBound)), ("hi", String(offsets.upperBound)),
            ],
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds))
    }

    /// The same question about rows under any batch's id. The answer is RowBinary: Int64 pairs of offset and
    /// `received_at` in milliseconds, which is the record's own timestamp: where a topic was made anew, rows of its
    /// former log have the same coordinates, and another time.
    public static func originStatement(
        database: String, topic: String, partition: Int32, offsets: Range<Int64>, maxExecutionSeconds: Int
    ) -> DestinationStatement {
        let table = Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        return DestinationStatement(
            sql: """
                SELECT source_offset, toUnixTimestamp64Milli(received_at) FROM \(table) \
                WHERE source_topic = {topic:String} AND source_partition = {partition:Int32} \
                AND source_offset >= {lo:Int64} AND source_offset < {hi:Int64} FORMAT RowBinary
                """,
            parameters: [
                ("topic", topic), ("partition", String(partition)),
                ("lo", String(offsets.lowerBound)), ("hi", String(offsets.upperBound)),
            ],
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds))
    }

    /// The answer to `originStatement`, in the server's order.
    public static func origins(
        _ body: [UInt8]
    ) throws(RowBinaryError) -> [(offset: Int64, receivedAtMilliseconds: Int64)] {
        var reader = RowBinaryReader(body)
        var origins: [(Int64, Int64)] = []
        origins.reserveCapacity(body.count / 16)
        while !reader.isAtEnd { origins.append((try reader.readInt64(), try reader.readInt64())) }
        return origins
    }

    /// The offsets of the answer, in the server's order.
    public static func offsets(_ body: [UInt8]) throws(RowBinaryError) -> [Int64] {
        var reader = RowBinaryReader(body)
        var offsets: [Int64] = []
        offsets.reserveCapacity(body.count / 8)
        while !reader.isAtEnd { offsets.append(try reader.readInt64()) }
        return offsets
    }

    /// How long an answer may be: every offset of the range once, and as much again, as a table that holds rows twice
    /// must not pass for an unreachable one.
    /// - Parameter rowBytes: 8 for offsets, 16 for origins.
    public static func maxResponseBytes(_ offsets: Range<Int64>, rowBytes: Int = 8) -> Int {
        let (bytes, overflow) = offsets.count.multipliedReportingOverflow(by: rowBytes * 2)
        return overflow ? maxAnswerBytes : min(max(bytes, 64 * 1024), maxAnswerBytes)
    }

    /// 32 million offsets, far above any batch: a range may be wide where the log has holes.
    public static let maxAnswerBytes = 256 * 1024 * 1024
}

/// The other questions: cheap ones, asked when something went wrong.
public enum DestinationProbe {
    /// How long a probe may take at the server.
    public static let maxExecutionSeconds = 10

    /// Whether ClickHouse answers at all. It has nothing to do with any client.
    public static let server = DestinationStatement(
        sql: "SELECT 1 FORMAT RowBinary", settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds))

    /// Whether a client's table is there, can be read by us and has all our columns.
    public static func destination(database: String) -> DestinationStatement {
        let table = Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        return DestinationStatement(
            sql: "SELECT \(EventColumns.list) FROM \(table) LIMIT 0 FORMAT RowBinary",
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds))
    }

    /// How many queries of a batch are still running, whoever the client (`CountAnswer`). Zero, and nothing of it will land
    /// any more.
    ///
    /// With `orAnyInsertSinceSeconds` every router's insert counts that has been running at least so long: of which batch
    /// it is, is not known there.
    public static func running(
        batch: UUID128, orAnyInsertSinceSeconds sinceSeconds: Double? = nil
    ) -> DestinationStatement {
        guard let sinceSeconds else { return running(prefix: InsertStatement.queryIDPrefix(batch: batch)) }
        return DestinationStatement(
            sql: """
                SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String}) \
                OR (match(query_id, {routers:String}) AND elapsed >= {since:Float64}) FORMAT RowBinary
                """,
            parameters: [
                ("prefix", InsertStatement.queryIDPrefix(batch: batch)),
                ("routers", InsertStatement.queryIDPattern), ("since", String(sinceSeconds)),
            ],
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds))
    }

    /// The same of all queries whose id starts so.
    public static func running(prefix: String) -> DestinationStatement {
        DestinationStatement(
            sql: "SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String}) FORMAT RowBinary",
            parameters: [("prefix", prefix)],
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds))
    }
}
