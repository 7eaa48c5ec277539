/// What `router status` prints: whether it is well, on one screen.
public struct StatusReport: Sendable, Encodable {
    public enum Verdict: String, Sendable, Encodable {
        case well
        /// Something needs a person: `problems` says what.
        case attention
        /// A server that is needed could not be asked.
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

        enum CodingKeys: String, CodingKey {
            case partition, committed, high, lag, stopped
            case oldestSeconds = "oldest_undelivered_seconds"
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
    public var partitions: [Partition] = []
    public var lag: Int64?
    public var oldestSeconds: Int64?
    /// New records in the raw topic, over the second or more that was looked at.
    public var producedPerSecond: Double?
    /// Records that the group's committed offsets passed in the same time.
    public var deliveredPerSecond: Double?
    /// Those of the last hour.
    public var deadLetters: DeadLetters?
    /// Gone before they were delivered, ever, as Postgres keeps it; nil where it could not be asked.
    public var lostRecords: Int?
    /// Clients whose destination refuses writes; known from routers that were asked over HTTP only.
    public var openCircuits: [String] = []
    public var pauses: [PauseReport.Entry] = []

    enum CodingKeys: String, CodingKey {
        case verdict, problems, at, group, topic, servers, members, routers, partitions, lag, pauses
        case groupState = "group_state"
        case oldestSeconds = "oldest_undelivered_seconds"
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
