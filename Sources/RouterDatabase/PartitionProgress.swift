import PostgresClient

/// The tripwire `partition_progress`, as commands read it.
public enum PartitionProgress {
    /// The last completed offset of each partition, as far as Postgres remembers.
    public static func read(
        _ connection: PostgresConnection, group: String, topic: String
    ) throws(PostgresError) -> [Int32: Int64] {
        let rows = try connection.query(
            """
            SELECT partition, last_completed_offset FROM public.partition_progress WHERE group_id = $1 AND topic = $2
            """, [group, topic]
        ).rows
        var progress: [Int32: Int64] = [:]
        for row in rows {
            guard let partition = row["partition"].flatMap({ Int32($0) }) else { continue }
            progress[partition] = row["last_completed_offset"].flatMap { Int64($0) }
        }
        return progress
    }
}
