import RouterCore
import Synchronization

/// What the service says of itself: `/api/status`, `/readyz` and the summary of `run --until-caught-up`.
public struct ServiceStatus: Sendable, Codable {
    public struct Partition: Sendable, Codable {
        public var partition: Int32
        public var committed_offset: Int64
        /// One past the log's last offset, as far as it is known.
        public var high_watermark: Int64?
        public var lag: Int64?
        /// The age of the oldest record that is not delivered, 0 when there is none; nil when it was not looked at.
        public var lag_seconds: Double?
        /// How long ago a broker last told where the log ends; nil before the first time.
        public var watermark_age_seconds: Double?
        public var outstanding_batches: Int
        public var is_paused: Bool
        /// Why the partition stands still; nil while it runs.
        public var stopped: String?
        /// Set while an operator holds the partition back.
        public var pause: Pause?
        /// What it waits for, in the words of `WaitReason`; nil where there is nothing to wait for.
        public var waiting_for: String?
        /// How long it has stood still with work to do; 0 while it moves.
        public var stalled_seconds: Double = 0
        /// RFC 3339, UTC; when anything of it has moved last, as far as this member has seen.
        public var last_moved_at: String?
    }

    /// What an operator holds back: who, since when, and why.
    public struct Pause: Sendable, Codable {
        public var by: String
        /// RFC 3339, UTC.
        public var at: String
        public var reason: String
    }

    public struct Circuit: Sendable, Codable {
        public var client_id: String
        /// The client's database.
        public var detail: String
        /// `open`, or `half_open` while one real insert of the client is tried.
        public var state: String
        /// RFC 3339, UTC.
        public var since: String
        /// How often it has opened since this member started.
        public var opened_count: Int
        /// What ClickHouse said last.
        public var message: String
    }

    public var version = BuildInformation.version
    /// `starting`, `running`, `draining` or `ended`.
    public var phase = "starting"
    public var group_id = ""
    public var topic = ""
    public var partitions: [Partition] = []
    public var consumed: Int = 0
    public var delivered: Int = 0
    public var dead_lettered: [String: Int] = [:]
    public var buffered_bytes: Int = 0
    /// ClickHouse does not answer, or takes no inserts: everything waits, and no client is blamed.
    public var clickhouse_away = false
    /// Why, in words; nil while it is thought to be well.
    public var clickhouse_error: String?
    /// Without `router_internal.write_probe` no client's destination can be told from the server.
    public var write_probe_missing = false
    /// A partition stands still though there is work.
    public var stalled = false
    public var postgres_error: String?
    public var redis_error: String?
    public var kafka_error: String?
    public var open_circuits: [Circuit] = []
    /// By client: those whose events become dead letters because an operator holds them back.
    public var paused_clients: [String: Pause] = [:]
    /// False where the broker loses the metadata string: then a crash may double what was under way.
    public var exactly_once = true
    /// Ranges of offsets that retention took before they were read.
    public var lost_to_retention: Int64 = 0
    /// Look-ups that the process's own memory answered, and those it did not.
    public var directory_hits: UInt64 = 0
    public var directory_misses: UInt64 = 0
    public var uptime_seconds: Double = 0
    /// Since the pipeline's thread has written this down: it does so several times a second.
    public var age_seconds: Double = 0

    public init() {}
}

/// The last status that the pipeline's thread wrote down, for other threads to read.
public final class StatusBoard: Sendable {
    private let status = Mutex((value: ServiceStatus(), writtenAtMilliseconds: Clock.monotonicMilliseconds()))
    /// What the brokers have said of the partitions' logs.
    let lag = LagReadings()

    public init() {}

    public var current: ServiceStatus {
        status.withLock { state in
            var status = state.value
            status.age_seconds = Double(Clock.monotonicMilliseconds() - state.writtenAtMilliseconds) / 1000
            return status
        }
    }

    func update(_ change: (inout ServiceStatus) -> Void) {
        status.withLock { state in
            change(&state.value)
            state.writtenAtMilliseconds = Clock.monotonicMilliseconds()
        }
    }
}

/// What this binary is.
public enum BuildInformation {
    public static let version = "0.1.0"
}
