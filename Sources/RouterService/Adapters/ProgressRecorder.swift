import Dispatch
import Logging
import PostgresClient
import RouterCore
import Synchronization

/// The tripwire in Postgres' `partition_progress`: that a partition was delivered up to some offset. It is never the
/// truth; it only tells a partition that was never read from one whose committed offset has vanished.
final class ProgressRecorder: Sendable {
    private struct State {
        var waiting: [Int32: Int64] = [:]
        var isScheduled = false
    }

    private let settings: PostgresSettings
    private let group: String
    private let topic: String
    private let log: Logger
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "router.progress")

    /// A tripwire need not be exact, and Postgres has other work.
    private static let delaySeconds = 2

    init(settings: PostgresSettings, group: String, topic: String, log: Logger) {
        self.settings = settings
        self.group = group
        self.topic = topic
        self.log = log
    }

    /// - Parameter offset: the last one that is delivered.
    func completed(partition: Int32, offset: Int64) {
        let mustSchedule = state.withLock { state in
            state.waiting[partition] = max(state.waiting[partition] ?? 0, offset)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule {
            queue.asyncAfter(deadline: .now() + .seconds(Self.delaySeconds)) { [self] in write() }
        }
    }

    /// Writes what waits now: at the end of the service.
    func flush() {
        queue.sync { write() }
    }

    private func write() {
        let waiting = state.withLock { state in
            defer { state = State() }
            return state.waiting
        }
        guard !waiting.isEmpty else { return }
        do {
            let connection = try PostgresConnection(settings)
            for (partition, offset) in waiting {
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
        } catch {
            // Postgres away is no reason to stop; the next completion writes again.
            log.debug("cannot note the progress", metadata: ["error": "\(error)"])
        }
    }

    /// The last completed offset of each partition, as far as Postgres remembers.
    func read() throws -> [Int32: Int64] {
        let connection = try PostgresConnection(settings)
        let result = try connection.query(
            "SELECT partition, last_completed_offset FROM partition_progress WHERE group_id = $1 AND topic = $2",
            [group, topic])
        var offsets: [Int32: Int64] = [:]
        for row in result.rows {
            if let partition = row["partition"].flatMap({ Int32($0) }),
                let offset = row["last_completed_offset"].flatMap({ Int64($0) })
            {
                offsets[partition] = offset
            }
        }
        return offsets
    }
}
