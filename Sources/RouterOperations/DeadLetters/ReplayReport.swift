import RouterCore

/// What a replay did, or with `--dry-run` would do: the same numbers for the same letters.
public struct ReplayReport: Encodable, Sendable {
    public struct Failure: Encodable, Sendable {
        public var partition: Int32
        public var offset: Int64
        public var reason: String
        public var detail: String
    }

    /// Letters that failed alike: one client's table that is missing fails thousands.
    public struct FailureGroup: Encodable, Sendable, Equatable {
        public var reason: String
        public var detail: String
        public var count: Int
        /// The first ones, `PARTITION/OFFSET`.
        public var places: [String]
    }

    /// Enough to see what is wrong.
    static let maxFailures = 100
    /// Different ones; a message may name the record, so there can be as many as letters.
    static let maxFailureGroups = 100
    static let maxPlaces = 2
    /// Beside the reasons of dead letters: the program of `--jq` failed, or gave several values.
    static let jqFailed = "jq_failed"
    /// Beside them: the dead letter has no value, and the record is too large for the topic.
    static let valueMissing = "value_missing"

    public var topic: String
    public var deadLetterTopic: String
    public var dryRun: Bool
    /// Of the run, as in Postgres; nil when nothing was there to be done, and in a dry run.
    public var runID: String?
    /// Dead letters that the filters chose, one for each origin; the numbers below add up to it.
    public var selected = 0
    /// Have their row already: a row wins.
    public var alreadyDelivered = 0
    public var discarded = 0
    /// Were tried as often as `--max-attempts` says.
    public var exhausted = 0
    /// Beyond `--limit`.
    public var notReached = 0
    public var delivered = 0
    /// The jq program gave nothing for them: they stay as they are.
    public var skipped = 0
    /// Would be, or were, refused again: they stay dead letters.
    public var failed = 0
    /// Read, and gone from the topic before their turn (retention).
    public var vanished = 0
    public var deliveredByClient: [String: Int] = [:]
    public var failedByReason: [String: Int] = [:]
    public var failures: [Failure] = []
    /// The same by what was said, the most first.
    public private(set) var failureGroups: [FailureGroup] = []
    /// May have a row in a table that cannot be read: left as they are.
    public var unknown = 0
    public var unknownClients: [UnknownClient] = []
    /// Not counted above: of origins that the router may still be at.
    public var inFlight = 0
    public var malformed = 0
    public var ofOtherTopics = 0
    public var seconds: Double = 0

    enum CodingKeys: String, CodingKey {
        case topic, selected, discarded, exhausted, delivered, skipped, failed, vanished, failures, malformed, seconds
        case unknown
        case unknownClients = "unknown_clients"
        case failureGroups = "failure_groups"
        case deadLetterTopic = "dead_letter_topic"
        case dryRun = "dry_run"
        case runID = "run_id"
        case alreadyDelivered = "already_delivered"
        case notReached = "not_reached"
        case deliveredByClient = "delivered_by_client"
        case failedByReason = "failed_by_reason"
        case inFlight = "in_flight"
        case ofOtherTopics = "of_other_topics"
    }

    mutating func addFailure(_ partition: Int32, _ offset: Int64, _ reason: String, _ detail: String) {
        failed += 1
        failedByReason[reason, default: 0] += 1
        group("\(partition)/\(offset)", reason, detail)
        guard failures.count < Self.maxFailures else { return }
        failures.append(Failure(partition: partition, offset: offset, reason: reason, detail: detail))
    }

    private mutating func group(_ place: String, _ reason: String, _ detail: String) {
        guard let index = failureGroups.firstIndex(where: { $0.reason == reason && $0.detail == detail }) else {
            guard failureGroups.count < Self.maxFailureGroups else { return }
            failureGroups.append(FailureGroup(reason: reason, detail: detail, count: 1, places: [place]))
            return
        }
        failureGroups[index].count += 1
        if failureGroups[index].places.count < Self.maxPlaces { failureGroups[index].places.append(place) }
        // The next one is found sooner, and the most come first.
        var at = index
        while at > 0, failureGroups[at - 1].count < failureGroups[at].count {
            failureGroups.swapAt(at - 1, at)
            at -= 1
        }
    }

    /// What a person has to look at: exit status 2. A dry run that could be made has done what it is for.
    public var needsPerson: Bool { !unknownClients.isEmpty || unknown > 0 || (!dryRun && failed > 0) }

    /// For a terminal.
    public var table: TextTable {
        var table = TextTable([.init(dryRun ? "WOULD BE" : "BECAME"), .init("DEAD LETTERS", .right)])
        table.add(["delivered", delivered.grouped])
        for (reason, count) in failedByReason.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            table.add(["failed again: \(reason)", count.grouped])
        }
        for (text, count) in [
            ("left alone by the jq program", skipped), ("delivered before", alreadyDelivered),
            ("discarded before", discarded), ("tried often enough", exhausted), ("beyond --limit", notReached),
            ("gone from the topic", vanished), ("unknown: its table cannot be read", unknown),
        ] where count > 0 { table.add([text, count.grouped]) }
        return table
    }

    public var remarks: [String] {
        var lines = unknownClients.map(\.line)
        let shown = failureGroups.prefix(Self.maxShown)
        lines += shown.map(Self.line)
        let left = failed - shown.reduce(0) { $0 + $1.count }
        if left > 0 { lines.append("… and \(left.grouped) more that failed") }
        if inFlight > 0 { lines.append("\(inFlight.grouped) dead letters are of batches that the router is still at") }
        if malformed > 0 {
            lines.append("\(malformed.grouped) records of the topic name no origin and were left alone")
        }
        return lines
    }

    private static func line(_ group: FailureGroup) -> String {
        guard group.count > 1 else { return "\(group.places[0]): \(group.reason): \(group.detail)" }
        let rest = group.count - group.places.count
        return "\(group.count.grouped) dead letters, \(group.places.joined(separator: ", "))"
            + (rest > 0 ? " and \(rest.grouped) more" : "") + ": \(group.reason): \(group.detail)"
    }

    private static let maxShown = 10
}
