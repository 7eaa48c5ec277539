import RouterCore

/// What `provision` did for each client.
public struct ProvisionReport: Encodable, Sendable {
    public enum Outcome: String, Encodable, Sendable {
        /// Database and table are there, the client is active.
        case provisioned
        /// All of it was so before.
        case unchanged
        /// Not carried out, and why is in `detail`; it needs a person.
        case refused
        /// A server failed on the way; the command can be repeated.
        case failed
    }

    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        public var databaseName: String
        /// The client's status afterwards.
        public var status: String
        public var outcome: Outcome
        public var schemaVersion: Int?
        /// Statements that were sent.
        public var statements = 0
        public var detail: String?
        /// The ClickHouse user made for the client and its password: shown this one time.
        public var user: String?
        public var password: String?

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case databaseName = "ch_database_name"
            case status, outcome, detail, statements
            case user = "ch_user"
            case password = "ch_password"
            case schemaVersion = "schema_version"
        }
    }

    public internal(set) var clients: [Client] = []
    public internal(set) var seconds = 0.0
    /// Why the clients that are not listed were not begun; nil when all were.
    public internal(set) var stopped: String?

    public var statements: Int { clients.reduce(0) { $0 + $1.statements } }
    public func count(_ outcome: Outcome) -> Int { clients.count { $0.outcome == outcome } }

    /// True when every client is as it should be.
    public var isComplete: Bool {
        stopped == nil && !clients.contains { $0.outcome == .refused || $0.outcome == .failed }
    }
}
