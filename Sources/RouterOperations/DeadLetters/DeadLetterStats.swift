import RouterCore

/// How many dead letters there are, counted by origin.
public struct DeadLetterStats: Encodable, Sendable {
    public struct Client: Encodable, Sendable {
        /// nil: no client is named in them.
        public var clientID: String?
        /// False: only the record says so, and its key was not (or not yet) right.
        public var verified: Bool
        public var open: Int

        enum CodingKeys: String, CodingKey {
            case verified, open
            case clientID = "client_id"
        }
    }

    /// Names that records give themselves are anybody's: more than these count together.
    static let maxClients = 1_000

    public var topic: String
    public var deadLetterTopic: String
    /// Origins with a dead letter that the filters choose; the next four add up to it.
    public var total = 0
    public var open = 0
    public var delivered = 0
    public var discarded = 0
    /// May have a row in a table that cannot be read.
    public var unknown = 0
    public var unknownClients: [UnknownClient] = []
    /// Of the open ones, here and below.
    public var byReason: [String: Int] = [:]
    /// The day on which it failed, UTC.
    public var byDay: [String: Int] = [:]
    public var byClient: [Client] = []
    public var deadLettersRead = 0
    public var repeated = 0
    public var inFlight = 0
    public var malformed = 0
    public var ofOtherTopics = 0

    private struct Key: Hashable {
        var client: ClientID?
        var isVerified: Bool
    }

    private var clients: [Key: Int] = [:]

    init(topic: String, deadLetterTopic: String) {
        self.topic = topic
        self.deadLetterTopic = deadLetterTopic
    }

    enum CodingKeys: String, CodingKey {
        case topic, total, open, delivered, discarded, unknown, repeated, malformed
        case unknownClients = "unknown_clients"
        case deadLetterTopic = "dead_letter_topic"
        case byReason = "by_reason"
        case byDay = "by_day"
        case byClient = "by_client"
        case deadLettersRead = "dead_letters_read"
        case inFlight = "in_flight"
        case ofOtherTopics = "of_other_topics"
    }

    mutating func add(_ seen: DeadLetterCatalog.Seen) {
        deadLettersRead = seen.read
        repeated = seen.repeated
        inFlight = seen.inFlight
        malformed = seen.malformed
        ofOtherTopics = seen.ofOtherTopics
    }

    mutating func add(
        _ state: DeadLetterState, reason: String, client: ClientID?, isVerified: Bool, failedAtMilliseconds: Int64
    ) {
        total += 1
        switch state {
        case .delivered: return delivered += 1
        case .discarded: return discarded += 1
        case .unknown: return unknown += 1
        case .open: open += 1
        }
        byReason[reason, default: 0] += 1
        byDay[String((TimeText.rfc3339(milliseconds: failedAtMilliseconds) ?? "unknown").prefix(10)), default: 0] += 1
        clients[Key(client: client, isVerified: isVerified), default: 0] += 1
    }

    /// Fills in `byClient`, the most first.
    func finished() -> DeadLetterStats {
        var stats = self
        let sorted = clients.sorted {
            ($1.value, $0.key.client?.description ?? "") < ($0.value, $1.key.client?.description ?? "")
        }
        stats.byClient = sorted.prefix(Self.maxClients).map {
            Client(clientID: $0.key.client?.description, verified: $0.key.isVerified, open: $0.value)
        }
        let rest = sorted.dropFirst(Self.maxClients).reduce(0) { $0 + $1.value }
        if rest > 0 { stats.byClient.append(Client(clientID: nil, verified: false, open: rest)) }
        return stats
    }

    public var tables: [TextTable] {
        var reasons = TextTable([.init("REASON"), .init("OPEN", .right)])
        for (reason, count) in byReason.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            reasons.add([reason, count.grouped])
        }
        var clients = TextTable([.init("CLIENT", maxWidth: 36), .init("KEY"), .init("OPEN", .right)])
        for one in byClient.prefix(Self.maxShown) {
            clients.add([one.clientID ?? "-", one.verified ? "verified" : "not verified", one.open.grouped])
        }
        var days = TextTable([.init("DAY (UTC)"), .init("OPEN", .right)])
        for (day, count) in byDay.sorted(by: { $0.key < $1.key }).suffix(Self.maxShown) {
            days.add([day, count.grouped])
        }
        return [reasons, clients, days].filter { !$0.isEmpty }
    }

    private static let maxShown = 30

    public var verdict: String {
        "\(total.grouped) dead letters: \(open.grouped) open, \(delivered.grouped) delivered since, "
            + "\(discarded.grouped) discarded" + (unknown > 0 ? ", \(unknown.grouped) unknown." : ".")
    }

    public var remarks: [String] {
        var lines = unknownClients.map(\.line)
        func add(_ count: Int, _ text: String) { if count > 0 { lines.append("\(count.grouped) \(text)") } }
        add(inFlight, "are of batches that the router is still at: not counted")
        add(repeated, "were sent more than once: counted once")
        add(malformed, "records of the topic name no origin of this topic: not counted")
        add(ofOtherTopics, "are of other topics: not counted")
        return lines
    }
}

/// What `dlq discard` did.
public struct DiscardReport: Encodable, Sendable {
    public var topic: String
    public var dryRun: Bool
    public var why: String
    public var operatorName: String
    public var discardID: String?
    public var discarded = 0
    public var byReason: [String: Int] = [:]

    init(topic: String, dryRun: Bool, why: String, operatorName: String) {
        self.topic = topic
        self.dryRun = dryRun
        self.why = why
        self.operatorName = operatorName
    }

    enum CodingKeys: String, CodingKey {
        case topic, why, discarded
        case dryRun = "dry_run"
        case operatorName = "operator"
        case discardID = "discard_id"
        case byReason = "by_reason"
    }
}
