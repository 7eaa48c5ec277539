import ClickHouseClient
import ClickHouseNative
import RouterCore

/// The rows of our topic in one partition of one database: how far they reach.
struct RowExtent: Sendable {
    var partition: Int32
    var rows: UInt64
    var lowest: Int64
    var highest: Int64
}

/// What the audit asks ClickHouse: every database that has an `events_base`, also those that Postgres does not name.
struct AuditDatabases: Sendable {
    let warehouse: Warehouse
    let topic: String

    /// Databases with a table `events_base`; `isReadable` when it has the columns that tell a row's origin. A table without them cannot hold
    /// rows of ours.
    func all() async throws -> [(name: String, isReadable: Bool)] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT database, countIf((name = 'source_topic' AND type IN ('String', 'LowCardinality(String)')) \
                OR (name = 'source_partition' AND type = 'Int32') OR (name = 'source_offset' AND type = 'Int64') \
                OR (name = 'client_id' AND type = 'UUID')) FROM system.columns WHERE table = {t:String} \
                GROUP BY database ORDER BY database FORMAT RowBinary
                """, [("t", DestinationStatement.eventsTable)]))
        var databases: [(name: String, isReadable: Bool)] = []
        while !reader.isAtEnd { databases.append((try reader.readString(), try reader.readUInt64() == 4)) }
        return databases
    }

    private func table(_ database: String) -> String {
        Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
    }

    func extents(_ database: String) async throws -> [RowExtent] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT source_partition, count(), min(source_offset), max(source_offset) FROM \(table(database)) \
                WHERE source_topic = {topic:String} GROUP BY source_partition ORDER BY source_partition \
                FORMAT RowBinary
                """, [("topic", topic)], attempts: UnreadableDatabases.attempts))
        var extents: [RowExtent] = []
        while !reader.isAtEnd {
            extents.append(
                RowExtent(
                    partition: try reader.readInt32(), rows: try reader.readUInt64(), lowest: try reader.readInt64(),
                    highest: try reader.readInt64()))
        }
        return extents
    }

    /// How many rows of a partition are below and at or past a range.
    func countOutside(
        _ database: String, _ partition: Int32, _ range: Range<Int64>
    ) async throws -> (below: Int, past: Int) {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT countIf(source_offset < {lo:Int64}), countIf(source_offset >= {hi:Int64}) \
                FROM \(table(database)) WHERE source_topic = {topic:String} AND source_partition = {p:Int32} \
                FORMAT RowBinary
                """, parameters(partition, range), attempts: UnreadableDatabases.attempts))
        return (Int(clamping: try reader.readUInt64()), Int(clamping: try reader.readUInt64()))
    }

    /// Calls `body` for each row of the partition with an offset in the range, in no order.
    ///
    /// A range that holds more rows than an answer may have bytes for is asked for in halves.
    func rows(
        _ database: String, _ partition: Int32, _ range: Range<Int64>,
        _ body: (_ offset: Int64, _ client: ClientID, _ timeMilliseconds: Int64) -> Void
    ) async throws {
        guard !range.isEmpty else { return }
        let answer: [UInt8]
        do {
            answer = try await warehouse.ask(
                """
                SELECT source_offset, client_id, toUnixTimestamp64Milli(received_at) FROM \(table(database)) \
                WHERE source_topic = {topic:String} AND source_partition = {p:Int32} AND source_offset >= {lo:Int64} AND source_offset < {hi:Int64} \
                FORMAT RowBinary
                """, parameters(partition, range), attempts: UnreadableDatabases.attempts)
        } catch let fault as ClickHouseTransportFault where fault.kind == .responseTooLarge && range.count > 1 {
            let middle = range.lowerBound + Int64(range.count / 2)
            try await rows(database, partition, range.lowerBound..<middle, body)
            return try await rows(database, partition, middle..<range.upperBound, body)
        }
        var reader = RowBinaryReader(answer)
        while !reader.isAtEnd {
            let offset = try reader.readInt64()
            let (high, low) = try reader.readUUID()
            body(offset, ClientID(high: high, low: low), try reader.readInt64())
        }
    }

    private func parameters(_ partition: Int32, _ range: Range<Int64>) -> [(String, String)] {
        [
            ("topic", topic), ("p", String(partition)), ("lo", String(range.lowerBound)),
            ("hi", String(range.upperBound)),
        ]
    }
}
