/// Asks which origins have a row, in any of several databases: before rows go in again by another way than their batch.
public enum OriginReadBack {
    /// Offsets in one statement: well under the server's `max_query_size` of 256 KiB.
    public static let maxOffsets = 5_000
    /// Databases in one statement: each is a table that the server opens.
    public static let maxDatabases = 200
    private static let maxQueryBytes = 1_048_576

    /// The answer is `ReadBack.offsets`, each offset once.
    ///
    /// - Parameter databases: each has an `events_base` with the columns of an origin.
    public static func statement(
        databases: [String], topic: String, partition: Int32, offsets: [Int64], maxExecutionSeconds: Int
    ) -> DestinationStatement {
        let list = offsets.map(String.init).joined(separator: ",")
        let source: String
        if let only = databases.first, databases.count == 1 {
            source = Identifier.quoted(only) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        } else {
            let names = databases.map(pattern).joined(separator: "|")
            source = "merge(REGEXP('^(\(names))$'), '^\(DestinationStatement.eventsTable)$')"
        }
        return DestinationStatement(
            sql: """
                SELECT DISTINCT source_offset FROM \(source) WHERE source_topic = {topic:String} \
                AND source_partition = {partition:Int32} AND source_offset IN (\(list)) FORMAT RowBinary
                """,
            parameters: [("topic", topic), ("partition", String(partition))],
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds) + [
                ("max_query_size", String(maxQueryBytes)),
                // Where replicas answer, one that has not heard of the newest parts must not.
                ("select_sequential_consistency", "1"),
            ])
    }

    /// The name as a regular expression inside of a string literal: whatever is no letter, digit or `_` by its code, so
    /// that nothing ends either of the two.
    static func pattern(_ name: String) -> String {
        name.unicodeScalars.map { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_": String(scalar)
            default: "\\\\x{" + String(scalar.value, radix: 16) + "}"
            }
        }.joined()
    }
}
