/// What of a user there is to erase. It does not repeat the user's id: reports end up in logs and tickets.
public struct ErasurePlan: Encodable, Sendable {
    public var clientID: String
    public var clientName: String
    public var databaseName: String
    public var rows: Int
    public var oldestEvent: String?
    public var newestEvent: String?
    /// Other tables of the database that have a column `user_id`, which are left as they are.
    public var otherTables: [String]

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case clientName = "client_name"
        case databaseName = "ch_database_name"
        case rows
        case oldestEvent = "oldest_event"
        case newestEvent = "newest_event"
        case otherTables = "other_tables"
    }

    /// Label and value, for a terminal.
    public var fields: [(String, String)] {
        [("Client", clientID), ("Name", clientName), ("Events", rows.grouped)]
            + (oldestEvent.map { [("Oldest", $0)] } ?? []) + (newestEvent.map { [("Newest", $0)] } ?? [])
    }
}

/// What was erased.
public struct ErasureReport: Encodable, Sendable {
    /// Names the record in Postgres.
    public var removalID: String
    public var clientID: String
    public var rows = 0
    /// Dead letters of the user, which a replay will pass over.
    public var deadLetters = 0
    public var counts: [RemovedCount] = []
    /// Rows that have come since.
    public var remaining = 0
    /// Partitions with events that had been sent before and that the router has not committed yet.
    public var unsettledPartitions: [Int] = []
    public var otherTables: [String] = []

    /// False when it has to be run again.
    public var isComplete: Bool { remaining == 0 && unsettledPartitions.isEmpty }

    enum CodingKeys: String, CodingKey {
        case removalID = "removal_id"
        case clientID = "client_id"
        case rows, counts, remaining
        case deadLetters = "dead_letters"
        case unsettledPartitions = "unsettled_partitions"
        case otherTables = "other_tables"
    }

    public var lines: [String] {
        var lines = [
            "Erased \(rows.grouped) rows; \(deadLetters.grouped) dead letters will not be replayed. Record: \(removalID)",
            "Kafka still holds the events themselves until its retention ends.",
        ]
        if !otherTables.isEmpty {
            lines.append(
                "Left as they are, though they have a column user_id: " + otherTables.joined(separator: ", "))
        }
        if remaining > 0 {
            lines.append("\(remaining.grouped) rows of the user have come since; run the command again")
        }
        if !unsettledPartitions.isEmpty {
            lines.append(
                "The router has not caught up with what was sent before the command (partitions "
                    + unsettledPartitions.map(String.init).joined(separator: ", ")
                    + "): run the command again when it has")
        }
        return lines
    }
}
