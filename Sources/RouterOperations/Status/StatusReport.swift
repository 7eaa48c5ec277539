/// What `router status` prints: whether it is well, on one screen.
public struct StatusReport: Sendable, Encodable {
    public enum Verdict: String, Sendable, Encodable {
        case well
        /// Something needs a person: `problems` says what.
        case attention
        /// A server, or a router that has something to do, could not be asked.
        case incomplete
    }

    public struct Server: Sendable, Encodable {
        public var name: String
        public var ok: Bool
        /// How long the answer took; nil without one.
        public var milliseconds: Int?
        public var error: String?
    }

    public struct Member: Sendable, Encodable {
        public var id: String
        public var host: String
        public var partitions: [Int32]
    }

    /// A router that was asked over HTTP.
    public struct Asked: Sendable, Encodable {
        public var url: String
        public var version: String
        public var phase: String
        public var uptimeSeconds: Double
        public var bufferedBytes: Int

        enum CodingKeys: String, CodingKey {
            case url, version, phase
            case uptimeSeconds = "uptime_seconds"
            case bufferedBytes = "buffered_bytes"
        }
    }

    public struct Partition: Sendable, Encodable {
        public var partition: Int32
        public var committed: Int64?
        public var high: Int64
        public var lag: Int64
        /// Age of the oldest record that is not delivered; nil when there is none, or it was not looked at.
        public var oldestSeconds: Int64?
        /// Why it stands still.
        public var stopped: String?
        /// Records that the committed offset has passed while it was looked at.
        public var passed: Int64 = 0
        var verdict = PartitionVerdict.caughtUp
        /// What the router that reads it says that it waits for; nil when it waits for nothing, or was not asked.
        public var waitingFor: String?
        /// By the router's word: for how long there has been something to do and nothing done.
        public var stalledSeconds: Double?
        /// RFC 3339, UTC; by the router's word.
        public var lastMovedAt: String?
        /// The age by the router's word.
        var toldSeconds: Double?

        /// nil when it is not known.
        var ageSeconds: Double? { oldestSeconds.map(Double.init) ?? toldSeconds }

        enum CodingKeys: String, CodingKey {
            case partition, committed, high, lag, stopped, passed, verdict
            case oldestSeconds = "oldest_undelivered_seconds"
            case waitingFor = "waiting_for"
            case stalledSeconds = "stalled_seconds"
            case lastMovedAt = "last_moved_at"
        }
    }

    /// A router that was asked over HTTP in vain.
    public struct Unanswered: Sendable, Encodable {
        public var url: String
        public var error: String
    }

    /// A client's destination that refuses writes.
    public struct Circuit: Sendable, Encodable {
        public var clientID: String
        /// `open` or `half_open`.
        public var state: String
        /// RFC 3339, UTC; nil where the router does not say.
        public var since: String?
        public var openedCount: Int?

        enum CodingKeys: String, CodingKey {
            case state, since
            case clientID = "client_id"
            case openedCount = "opened_count"
        }
    }

    public struct DeadLetters: Sendable, Encodable {
        public var byReason: [String: Int] = [:]
        /// False when there were more than were counted.
        public var complete = true

        enum CodingKeys: String, CodingKey {
            case byReason = "by_reason"
            case complete
        }
    }

    public var verdict = Verdict.well
    public var problems: [String] = []
    /// RFC 3339, UTC.
    public var at = ""
    public var group: String
    public var topic: String
    public var servers: [Server] = []
    /// Kafka's word for the group: `Stable`, `Empty`, …; nil when it could not be asked.
    public var groupState: String?
    public var members: [Member] = []
    public var routers: [Asked] = []
    public var unanswered: [Unanswered] = []
    public var partitions: [Partition] = []
    public var lag: Int64?
    public var oldestSeconds: Int64?
    /// For how long committed offsets and log ends were looked at: longer where something that waits did not move.
    public var lookedSeconds: Double?
    /// New records in the raw topic, over that time.
    public var producedPerSecond: Double?
    /// Records that the group's committed offsets passed in the same time.
    public var deliveredPerSecond: Double?
    /// Those of the last hour.
    public var deadLetters: DeadLetters?
    /// Gone before they were delivered, ever, as Postgres keeps it; nil where it could not be asked.
    public var lostRecords: Int?
    /// Clients whose destination refuses writes; known from routers that were asked over HTTP only.
    public var openCircuits: [Circuit] = []
    public var pauses: [PauseReport.Entry] = []

    enum CodingKeys: String, CodingKey {
        case verdict, problems, at, group, topic, servers, members, routers, partitions, lag, pauses
        case groupState = "group_state"
        case unanswered = "routers_unanswered"
        case oldestSeconds = "oldest_undelivered_seconds"
        case lookedSeconds = "looked_seconds"
        case producedPerSecond = "produced_per_second"
        case deliveredPerSecond = "delivered_per_second"
        case deadLetters = "dead_letters_last_hour"
        case openCircuits = "open_circuits"
        case lostRecords = "lost_records"
    }

    init(group: String, topic: String) {
        self.group = group
        self.topic = topic
    }
}
