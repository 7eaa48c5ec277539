import ClickHouseNative

/// A record within its partition, as everyone names it who asks whether it has a row.
public struct PartitionOrigin: Hashable, Sendable {
    public var offset: Int64
    /// The record's own; nil where it has none.
    public var timestampMilliseconds: Int64?

    public init(offset: Int64, timestampMilliseconds: Int64?) {
        self.offset = offset
        self.timestampMilliseconds = timestampMilliseconds
    }

    /// Whether what lies at the same topic, partition and offset may be of the same record, by its time: where a topic was
    /// made anew, rows and dead letters of its former log have the same coordinates, and another time.
    ///
    /// Without a timestamp of its own the record's row has the time of its judging, so there is nothing to compare and the
    /// offset alone decides. To take such a row for another's would insert it again.
    public static func mayBeSame(_ one: Int64?, _ other: Int64?) -> Bool {
        guard let one, let other else { return true }
        return one == other
    }
}

/// Asks which origins have a row, in any of several databases: before rows go in again by another way than their batch.
public enum OriginReadBack {
    /// Offsets in one statement: well under the server's `max_query_size` of 256 KiB.
    public static let maxOffsets = 5_000
    /// Databases in one statement: each is a table that the server opens.
    public static let maxDatabases = 200
    private static let maxQueryBytes = 1_048_576

    /// The answer is `ReadBack.origins`, each offset once with each time.
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
                SELECT DISTINCT source_offset, toUnixTimestamp64Milli(received_at) FROM \(source) \
                WHERE source_topic = {topic:String} AND source_partition = {partition:Int32} \
                AND source_offset IN (\(list)) FORMAT RowBinary
                """,
            parameters: [("topic", topic), ("partition", String(partition))],
            settings: ReadSettings.exact(maxExecutionSeconds: maxExecutionSeconds) + [
                ("max_query_size", String(maxQueryBytes)),
                // Where replicas answer, one that has not heard of the newest parts must not.
                ("select_sequential_consistency", "1"),
            ])
    }

    /// Of these origins, the offsets that have a row of their own among what the tables hold at their offsets.
    public static func held(
        _ origins: some Sequence<PartitionOrigin>, rows: [(offset: Int64, receivedAtMilliseconds: Int64)]
    ) -> Set<Int64> {
        let times = Dictionary(grouping: rows, by: \.offset)
        var held: Set<Int64> = []
        for origin in origins {
            let isHeld = times[origin.offset]?.contains {
                PartitionOrigin.mayBeSame($0.receivedAtMilliseconds, origin.timestampMilliseconds)
            }
            if isHeld == true { held.insert(origin.offset) }
        }
        return held
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
