import RouterCore

/// What deprovisioning a client takes away: known before anything is done.
public struct DeprovisionPlan: Encodable, Sendable {
    public var clientID: String
    public var clientName: String
    public var status: String
    public var databaseName: String
    /// False when there is no such database (any more).
    public var databaseExists: Bool
    public var rows: Int
    /// Of all tables of the database, on disk.
    public var bytes: Int
    /// RFC 3339, UTC; nil without rows.
    public var oldestEvent: String?
    public var newestEvent: String?
    /// What goes besides the events: tables and views of the database.
    public var otherTables: [String]

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case clientName = "client_name"
        case status, rows, bytes
        case databaseName = "ch_database_name"
        case databaseExists = "database_exists"
        case oldestEvent = "oldest_event"
        case newestEvent = "newest_event"
        case otherTables = "other_tables"
    }

    /// Label and value, for a terminal.
    public var fields: [(String, String)] {
        var fields = [
            ("Client", clientID), ("Name", clientName), ("Status", status),
            ("Database", databaseExists ? databaseName : "\(databaseName), which is not there"),
            ("Events", rows.grouped), ("On disk", ByteText.text(bytes)),
        ]
        if let oldestEvent { fields.append(("Oldest", oldestEvent)) }
        if let newestEvent { fields.append(("Newest", newestEvent)) }
        if !otherTables.isEmpty { fields.append(("Tables besides", otherTables.joined(separator: ", "))) }
        return fields
    }
}

/// What became of one client.
public struct DeprovisionReport: Encodable, Sendable {
    public enum Outcome: String, Encodable, Sendable {
        /// The database is gone.
        case dropped
        /// The client is deprovisioned and its database is left as it is.
        case kept
        /// It was so before.
        case unchanged
        /// Not carried out to the end; `detail` says why. The command can be repeated.
        case failed
    }

    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        public var databaseName: String
        /// Afterwards.
        public var status: String
        public var outcome: Outcome
        /// Rows that went, by what was counted when nothing could come any more.
        public var rows = 0
        public var counts: [RemovedCount] = []
        public var export: ExportManifest.Summary?
        public var detail: String?

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case databaseName = "ch_database_name"
            case status, outcome, rows, counts, export, detail
        }
    }

    public internal(set) var clients: [Client] = []
    /// Routers that listen for changes of clients, and so heard of it.
    public internal(set) var listeningRouters = 0

    public var isComplete: Bool { !clients.contains { $0.outcome == .failed } }

    enum CodingKeys: String, CodingKey {
        case clients
        case listeningRouters = "listening_routers"
    }
}

/// Sizes as commands print them.
enum ByteText {
    /// In binary units, with three digits: `1.50 GiB`.
    static func text(_ bytes: Int) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard bytes >= 1024 else { return "\(bytes) bytes" }
        var value = Double(bytes) / 1024
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        let digits = value < 10 ? 2 : value < 100 ? 1 : 0
        var scaled = value
        for _ in 0..<digits { scaled *= 10 }
        let number = String(Int(scaled.rounded()))
        guard digits > 0 else { return "\(number) \(units[unit])" }
        return "\(number.dropLast(digits)).\(number.suffix(digits)) \(units[unit])"
    }
}
