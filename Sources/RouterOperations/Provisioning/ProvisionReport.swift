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
        public var detail: String?

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case databaseName = "ch_database_name"
            case status, outcome, detail
            case schemaVersion = "schema_version"
        }
    }

    public internal(set) var clients: [Client] = []

    /// True when every client is as it should be.
    public var isComplete: Bool { !clients.contains { $0.outcome == .refused || $0.outcome == .failed } }
}
