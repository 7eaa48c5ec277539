import ClickHouseClient
import ClickHouseNative

/// What ClickHouse knows of many clients at once, without reading a topic or a table from end to end.
///
/// The newest event and the number of rows come from the list of parts, which is in the server's memory. Rows of the last
/// day are counted by one statement over all tables that have any: `event_timestamp` is in their sorting key and their
/// partitions go by its month, so that it reads the last day's granules of one column and no more.
struct ClientActivity: Sendable {
    struct Activity: Sendable, Equatable {
        /// Seconds since 1970, UTC.
        var lastEventSeconds: Int64 = 0
        var rows = 0
        /// nil where it could not be counted in time.
        var rowsLastDay: Int? = 0
    }

    /// A person is waiting.
    static let maxExecutionSeconds = 10
    /// A name has 63 bytes at most, a statement 256 KiB.
    static let maxDatabases = 2000

    let warehouse: Warehouse

    /// By database; one without a table or without rows is not in it. `note` says what could not be found out.
    func read(_ databases: [String]) async throws -> (byDatabase: [String: Activity], note: String?) {
        var activities: [String: Activity] = [:]
        var note: String?
        for start in stride(from: 0, to: databases.count, by: Self.maxDatabases) {
            let group = Array(databases[start..<min(start + Self.maxDatabases, databases.count)])
            let found = try await parts(group)
            activities.merge(found.mapValues(\.activity)) { $1 }
            let recent = found.filter(\.value.mayHaveRecent).map(\.key).sorted()
            guard !recent.isEmpty else { continue }
            do {
                for (database, rows) in try await lastDay(recent) { activities[database]?.rowsLastDay = rows }
            } catch let exception as ClickHouseException {
                note = "the rows of the last day could not be counted: \(exception)"
                for database in recent { activities[database]?.rowsLastDay = nil }
            }
        }
        return (activities, note)
    }

    private func parts(_ databases: [String]) async throws -> [String: (activity: Activity, mayHaveRecent: Bool)] {
        // Names have been checked (`DatabaseName`), here and below.
        let names = databases.map { "'\($0)'" }.joined(separator: ",")
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT database, toInt64(toUnixTimestamp(max(max_time))), sum(rows), max(max_time) >= now() - 86400 \
                FROM system.parts WHERE active AND table = 'events_base' AND database IN (\(names)) GROUP BY database \
                FORMAT RowBinary
                """))
        var found: [String: (Activity, Bool)] = [:]
        while !reader.isAtEnd {
            let database = try reader.readString()
            let activity = Activity(
                lastEventSeconds: try reader.readInt64(), rows: Int(clamping: try reader.readUInt64()))
            found[database] = (activity, try reader.readUInt8() != 0)
        }
        return found
    }

    private func lastDay(_ databases: [String]) async throws -> [(String, Int)] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT toString(_database) AS name, count() \
                FROM merge(REGEXP('^(\(databases.joined(separator: "|")))$'), '^events_base$') \
                WHERE event_timestamp >= now() - 86400 GROUP BY name \
                SETTINGS max_execution_time = \(Self.maxExecutionSeconds), timeout_overflow_mode = 'throw' \
                FORMAT RowBinary
                """))
        var counts: [(String, Int)] = []
        while !reader.isAtEnd { counts.append((try reader.readString(), Int(clamping: try reader.readUInt64()))) }
        return counts
    }
}
