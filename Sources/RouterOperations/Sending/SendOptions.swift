import RouterCore

/// What `router send` is asked to do.
public struct SendOptions: Sendable {
    public enum Source: Sendable {
        /// Events made up in the name of clients.
        case samples(SampleOptions)
        /// The lines of a file, or of standard input for `-`, as they are.
        case lines(path: String)
    }

    public struct SampleOptions: Sendable {
        /// In whose names; nil: every active client's.
        public var clients: [ClientID]?
        /// A file of clients instead of Postgres.
        public var clientsFile: String?
        public var bad = BadShares()
        /// Spread over all bad kinds that can be made.
        public var badShare = 0.0
        public var credentialsInHeaders = false
        public var seed: UInt64 = 1

        public init() {}
    }

    public var source: Source
    /// nil: all lines.
    public var count: Int?
    /// Events a second; nil: as fast as Kafka takes them.
    public var rate: Double?
    /// Makes the topics that are missing; without it a missing raw topic is an error, as its name may be misspelt.
    public var createsTopics = false

    public init(source: Source, count: Int?, rate: Double?) {
        self.source = source
        self.count = count
        self.rate = rate
    }
}

/// What became of it: the events that Kafka acknowledged.
public struct SendReport: Encodable, Sendable {
    public var topic: String
    public var sent = 0
    /// Not acknowledged; some of them may be in the topic all the same.
    public var failed = 0
    /// By the client in whose name an event was sent; `unknown_client` events are in nobody's.
    public var byClient: [String: Int] = [:]
    public var byKind: [String: Int] = [:]
    public var seconds = 0.0
    /// Topics that were missing and are there now.
    public var createdTopics: [String] = []
    /// What a person should know besides.
    public var notes: [String] = []
    /// The first failure, in Kafka's words.
    public var firstFailure: String?

    enum CodingKeys: String, CodingKey {
        case topic, sent, failed, seconds, notes
        case byClient = "by_client"
        case byKind = "by_kind"
        case createdTopics = "created_topics"
        case firstFailure = "first_failure"
    }

    public var eventsPerSecond: Double { seconds > 0 ? Double(sent) / seconds : 0 }

    public var tables: [TextTable] {
        var clients = TextTable([.init("CLIENT", maxWidth: 36), .init("SENT", .right)])
        for (client, count) in byClient.sorted(by: { $0.key < $1.key }) { clients.add([client, "\(count)"]) }
        var kinds = TextTable([.init("KIND", maxWidth: 36), .init("SENT", .right)])
        for (kind, count) in byKind.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            kinds.add([kind, "\(count)"])
        }
        return [clients, kinds].filter { !$0.isEmpty }
    }
}
