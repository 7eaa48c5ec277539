import PostgresClient
import RouterCore

/// What Postgres knows about the offsets of one group and topic: the tripwire, what people accepted, and what retention
/// took. Service and operations use it alike.
public struct OffsetRepository {
    private let connection: PostgresConnection
    let group: String
    let topic: String

    public init(_ connection: PostgresConnection, group: String, topic: String) {
        self.connection = connection
        self.group = group
        self.topic = topic
    }

    // MARK: - The tripwire

    public struct Progress: Equatable, Sendable {
        /// The last offset of the highest completed batch.
        public var offset: Int64
        /// Milliseconds since 1970.
        public var atMilliseconds: Int64
    }

    /// As far as Postgres remembers.
    public func progress() throws(PostgresError) -> [Int32: Progress] {
        let rows = try connection.query(
            """
            SELECT partition, last_completed_offset, \(Self.milliseconds("at")) AS at_ms FROM partition_progress
            WHERE group_id = $1 AND topic = $2
            """, [group, topic]
        ).rows
        var found: [Int32: Progress] = [:]
        for row in rows {
            guard let partition = row["partition"].flatMap({ Int32($0) }),
                let offset = row["last_completed_offset"].flatMap({ Int64($0) })
            else { continue }
            found[partition] = Progress(offset: offset, atMilliseconds: row["at_ms"].flatMap { Int64($0) } ?? 0)
        }
        return found
    }

    /// Never lowers what is there.
    public func raiseProgress(_ partition: Int32, to offset: Int64) throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset, at)
            VALUES ($1, $2, $3::int, $4::bigint, now())
            ON CONFLICT (group_id, topic, partition) DO UPDATE
            SET last_completed_offset =
                greatest(partition_progress.last_completed_offset, excluded.last_completed_offset),
                at = now()
            """, [group, topic, String(partition), String(offset)])
    }

    // MARK: - Losses

    /// A range of offsets that retention took before they were delivered.
    public struct Loss: Equatable, Sendable {
        public var partition: Int32
        public var offsets: Range<Int64>
        public var atMilliseconds: Int64
    }

    /// To note the same loss again (a restart before the next commit) changes nothing.
    public func noteLoss(_ partition: Int32, _ offsets: Range<Int64>) throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO retention_losses (group_id, topic, partition, first_offset, end_offset)
            VALUES ($1, $2, $3::int, $4::bigint, $5::bigint) ON CONFLICT DO NOTHING
            """, [group, topic, String(partition), String(offsets.lowerBound), String(offsets.upperBound)])
    }

    public func losses() throws(PostgresError) -> [Loss] {
        try connection.query(
            """
            SELECT partition, first_offset, end_offset, \(Self.milliseconds("at")) AS at_ms FROM retention_losses
            WHERE group_id = $1 AND topic = $2 ORDER BY partition, first_offset, end_offset
            """, [group, topic]
        ).rows.compactMap { row in
            guard let partition = row["partition"].flatMap({ Int32($0) }),
                let first = row["first_offset"].flatMap({ Int64($0) }),
                let end = row["end_offset"].flatMap({ Int64($0) }), first < end
            else { return nil }
            return Loss(
                partition: partition, offsets: first..<end, atMilliseconds: row["at_ms"].flatMap { Int64($0) } ?? 0)
        }
    }

    // MARK: - Acceptances

    /// An acceptance, and what became of it.
    public struct Entry: Equatable, Sendable {
        public var acceptance: OffsetAcceptance
        public var acceptedAtMilliseconds: Int64
        /// nil while it waits for a router.
        public var takenAtMilliseconds: Int64?

        public init(acceptance: OffsetAcceptance, acceptedAtMilliseconds: Int64, takenAtMilliseconds: Int64?) {
            self.acceptance = acceptance
            self.acceptedAtMilliseconds = acceptedAtMilliseconds
            self.takenAtMilliseconds = takenAtMilliseconds
        }
    }

    /// Those that wait for a router or were taken by one, the oldest first; replaced ones are history only.
    public func acceptances() throws(PostgresError) -> [Entry] {
        try connection.query(
            """
            SELECT *, \(Self.milliseconds("accepted_at")) AS accepted_ms, \(Self.milliseconds("taken_at")) AS taken_ms
            FROM offset_acceptances WHERE group_id = $1 AND topic = $2 AND replaced_at IS NULL ORDER BY acceptance_id
            """, [group, topic]
        ).rows.compactMap { row in
            func number(_ name: String) -> Int64? { row[name].flatMap { Int64($0) } }
            guard let id = number("acceptance_id"), let partition = row["partition"].flatMap({ Int32($0) }),
                let offset = number("accepted_offset"), let skippedFrom = number("skipped_from"),
                let logStart = number("log_start"), let logEnd = number("log_end")
            else { return nil }
            let committed = number("committed_offset").map { ($0, row["committed_metadata"]) }
            return Entry(
                acceptance: OffsetAcceptance(
                    id: id, partition: partition, offset: offset, skippedFrom: skippedFrom, logStart: logStart,
                    logEnd: logEnd,
                    situation: OffsetSituation(committed: committed, progressOffset: number("progress_offset")),
                    acceptedBy: row["accepted_by"] ?? "", reason: row["reason"] ?? ""),
                acceptedAtMilliseconds: number("accepted_ms") ?? 0, takenAtMilliseconds: number("taken_ms"))
        }
    }

    /// Writes decisions down, all or none. One that still waits for the same partition is replaced.
    public func accept(_ acceptances: [OffsetAcceptance]) throws {
        try connection.transaction { connection in
            for one in acceptances {
                try connection.execute(
                    """
                    UPDATE offset_acceptances SET replaced_at = now() WHERE group_id = $1 AND topic = $2
                    AND partition = $3::int AND taken_at IS NULL AND replaced_at IS NULL
                    """, [group, topic, String(one.partition)])
                try connection.execute(
                    """
                    INSERT INTO offset_acceptances (group_id, topic, partition, accepted_offset, skipped_from, log_start,
                        log_end, committed_offset, committed_metadata, progress_offset, accepted_by, reason)
                    VALUES ($1, $2, $3::int, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9, $10::bigint,
                        $11, $12)
                    """,
                    [
                        group, topic, String(one.partition), String(one.offset), String(one.skippedFrom),
                        String(one.logStart), String(one.logEnd), one.situation.committedOffset.map { String($0) },
                        one.situation.metadata, one.situation.progressOffset.map { String($0) }, one.acceptedBy,
                        one.reason,
                    ])
            }
        }
    }

    /// Takes an acceptance, once, and sets the tripwire to where the partition goes on.
    ///
    /// It is taken *before* anything is committed. Were it the other way round, a crash between the two would leave a
    /// decision that waits, and the next loss of the group's state would go back to it. So a crash here costs at worst
    /// that a person decides again.
    /// - Returns: false when it is taken already, was replaced, or the tripwire has moved since.
    public func take(_ one: OffsetAcceptance) throws -> Bool {
        try connection.transaction { connection in
            let taken = try connection.execute(
                """
                UPDATE offset_acceptances a SET taken_at = now() WHERE acceptance_id = $1::bigint
                AND taken_at IS NULL AND replaced_at IS NULL
                AND (a.committed_offset IS NOT NULL OR a.progress_offset IS NOT DISTINCT FROM (
                    SELECT last_completed_offset FROM partition_progress p
                    WHERE p.group_id = a.group_id AND p.topic = a.topic AND p.partition = a.partition))
                """, [String(one.id)])
            guard taken == 1 else { return false }
            // Never no row: until the new state is committed, its absence would mean that nobody ever read the partition.
            try setProgress(connection, one.partition, max(0, one.offset - 1))
            return true
        }
    }

    /// Gives an acceptance back that was taken and has had no effect at all.
    public func giveBack(_ one: OffsetAcceptance) throws {
        try connection.transaction { connection in
            try connection.execute(
                "UPDATE offset_acceptances SET taken_at = NULL WHERE acceptance_id = $1::bigint", [String(one.id)])
            if let progress = one.situation.progressOffset {
                try setProgress(connection, one.partition, progress)
            } else {
                try connection.execute(
                    "DELETE FROM partition_progress WHERE group_id = $1 AND topic = $2 AND partition = $3::int",
                    [group, topic, String(one.partition)])
            }
        }
    }

    private func setProgress(
        _ connection: PostgresConnection, _ partition: Int32, _ offset: Int64
    ) throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO partition_progress (group_id, topic, partition, last_completed_offset, at)
            VALUES ($1, $2, $3::int, $4::bigint, now()) ON CONFLICT (group_id, topic, partition) DO UPDATE
            SET last_completed_offset = excluded.last_completed_offset, at = now()
            """, [group, topic, String(partition), String(offset)])
    }

    private static func milliseconds(_ column: String) -> String {
        "(extract(epoch FROM \(column)) * 1000)::bigint"
    }
}
