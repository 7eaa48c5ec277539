import RouterCore

/// What a rebuild did, or with `--dry-run` would do.
public struct RebuildReport: Encodable, Sendable {
    public struct Refusal: Encodable, Sendable {
        public var partition: Int32
        public var offset: Int64
        public var reason: String
        public var detail: String
    }

    static let maxRefusals = 100

    public var clientID: String
    public var databaseName: String
    public var topic: String
    public var dryRun: Bool
    public var runID: String?
    /// Records of the raw topic below the committed offsets.
    public var read = 0
    /// Of them, those that name the client and are not older than --since; the next four add up to it.
    public var ofClient = 0
    /// Have their row.
    public var present = 0
    /// Got it back.
    public var rebuilt = 0
    /// Have a dead letter: `router dlq replay` is for them.
    public var deadLettered = 0
    /// Have no dead letter, and are refused now: their key was rotated since, or the rules changed.
    public var refused = 0
    public var refusedByReason: [String: Int] = [:]
    public var refusals: [Refusal] = []
    /// Others, whose tables could not be read: none of this client's rows is theirs to hold.
    public var unknownClients: [UnknownClient] = []
    public var seconds: Double = 0

    init(clientID: String, databaseName: String, topic: String, dryRun: Bool) {
        self.clientID = clientID
        self.databaseName = databaseName
        self.topic = topic
        self.dryRun = dryRun
    }

    enum CodingKeys: String, CodingKey {
        case topic, read, present, rebuilt, refused, refusals, seconds
        case clientID = "client_id"
        case databaseName = "ch_database_name"
        case dryRun = "dry_run"
        case runID = "run_id"
        case ofClient = "of_client"
        case deadLettered = "dead_lettered"
        case refusedByReason = "refused_by_reason"
        case unknownClients = "unknown_clients"
    }

    mutating func addRefusal(_ partition: Int32, _ offset: Int64, _ refusal: RouterCore.Refusal) {
        refused += 1
        refusedByReason[refusal.reason.rawValue, default: 0] += 1
        guard refusals.count < Self.maxRefusals else { return }
        refusals.append(
            Refusal(partition: partition, offset: offset, reason: refusal.reason.rawValue, detail: refusal.detail))
    }

    public var lines: [String] {
        var lines = [
            "\(ofClient.grouped) of \(read.grouped) records of \(topic) are of client \(clientID).",
            "\(present.grouped) have their row in \(databaseName); \(rebuilt.grouped) "
                + (dryRun ? "would be put back." : "were put back."),
        ]
        if deadLettered > 0 {
            lines.append("\(deadLettered.grouped) have a dead letter: router dlq replay --client \(clientID)")
        }
        for (reason, count) in refusedByReason.sorted(by: { $0.key < $1.key }) {
            lines.append("\(count.grouped) are refused now: \(reason)")
        }
        if refusedByReason[DeadLetterReason.invalidAPIKey.rawValue] != nil {
            lines.append("Their key is not the client's any more; --former-keys takes them as well.")
        }
        return lines + unknownClients.map { TextTable.oneLine($0.line) }
    }
}
