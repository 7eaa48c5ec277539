import PostgresClient

/// What Postgres remembers of a group's partitions, as commands read it.
public struct PartitionProgress: Sendable {
    /// The tripwire: the last completed offset of each partition.
    public var completed: [Int32: Int64] = [:]
    /// Partitions that stood still and whose start somebody accepted: a router goes on with them when it runs.
    public var accepted: Set<Int32> = []

    public init() {}

    public static func read(
        _ connection: PostgresConnection, group: String, topic: String
    ) throws(PostgresError) -> PartitionProgress {
        let rows = try connection.query(
            """
            SELECT partition, last_completed_offset FROM public.partition_progress WHERE group_id = $1 AND topic = $2
            """, [group, topic]
        ).rows
        var progress = PartitionProgress()
        for row in rows {
            guard let partition = row["partition"].flatMap({ Int32($0) }) else { continue }
            progress.completed[partition] = row["last_completed_offset"].flatMap { Int64($0) }
        }
        let accepted = try connection.query(
            """
            SELECT partition FROM public.offset_acceptances
             WHERE group_id = $1 AND topic = $2 AND taken_at IS NULL AND replaced_at IS NULL
            """, [group, topic])
        progress.accepted = Set(accepted.rows.compactMap { $0["partition"].flatMap { Int32($0) } })
        return progress
    }
}
