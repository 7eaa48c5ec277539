import ClientStore
import RouterCore

/// A client as `client list` and `client show` print it, under the names of Postgres' columns.
public struct ClientDocument: Encodable, Sendable {
    public var clientID: String
    public var clientName: String
    public var status: String
    public var databaseName: String
    /// RFC 3339, UTC.
    public var createdAt: String
    public var updatedAt: String
    /// Until when the key before the last rotation is accepted; nil without one. `never`: it does not end.
    public var previousKeyExpiresAt: String?
    /// nil before it is provisioned.
    public var schemaVersion: Int?
    /// For how many days its table keeps events; nil: for ever.
    public var retentionDays: Int?
    /// The newest event's own time, RFC 3339, to the second; nil without events, or when ClickHouse could not be asked.
    public var lastEventAt: String?
    /// nil when ClickHouse could not be asked.
    public var rows: Int?
    /// With an event time of the last 24 hours.
    public var rowsLastDay: Int?

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case clientName = "client_name"
        case status, rows
        case schemaVersion = "schema_version"
        case retentionDays = "retention_days"
        case lastEventAt = "last_event_at"
        case rowsLastDay = "rows_last_day"
        case databaseName = "ch_database_name"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case previousKeyExpiresAt = "previous_api_key_expires_at"
    }

    init(_ record: ClientRecord) {
        clientID = record.id.description
        clientName = record.name
        status = record.status.rawValue
        databaseName = record.databaseName
        createdAt = TimeText.rfc3339(milliseconds: record.createdAtMilliseconds) ?? ""
        updatedAt = TimeText.rfc3339(milliseconds: record.updatedAtMilliseconds) ?? ""
        previousKeyExpiresAt = record.previousKeyExpiresAtMilliseconds.map {
            TimeText.rfc3339(milliseconds: $0) ?? "never"
        }
        schemaVersion = record.schemaVersion
        retentionDays = record.retentionDays
    }

    mutating func add(_ activity: ClientActivity.Activity?) {
        rows = activity?.rows ?? 0
        rowsLastDay = activity.map(\.rowsLastDay) ?? 0
        guard let activity, activity.lastEventSeconds > 0 else { return }
        lastEventAt = TimeText.rfc3339(milliseconds: activity.lastEventSeconds * 1000)
    }

    /// Label and value, for a terminal.
    public var fields: [(String, String)] {
        [
            ("Client", clientID), ("Name", clientName), ("Status", status), ("Database", databaseName),
            ("Schema version", schemaVersion.map { "\($0)" } ?? "none"),
            ("Retention", retentionDays.map { "\($0) days" } ?? "for ever"),
            ("Created", createdAt), ("Changed", updatedAt),
        ]
            + (previousKeyExpiresAt.map { [("Previous key ends", $0)] } ?? [])
            + (rows.map { [("Rows", $0.grouped), ("Rows, last day", rowsLastDay.map(\.grouped) ?? "?")] } ?? [])
            + (lastEventAt.map { [("Last event", $0)] } ?? [])
    }
}

public struct ClientListDocument: Encodable, Sendable {
    public var clients: [ClientDocument]
    /// What could not be found out.
    public var notes: [String] = []

    public var table: TextTable {
        var table = TextTable([
            .init("CLIENT", maxWidth: 36), .init("NAME", maxWidth: 14), .init("STATUS", maxWidth: 13),
            .init("LAST EVENT", maxWidth: 16), .init("LAST DAY", .right, maxWidth: 9),
            .init("SCHEMA", .right, maxWidth: 6),
        ])
        for client in clients {
            let last = client.lastEventAt.map { String($0.prefix(16)).replacing("T", with: " ") }
            table.add([
                client.clientID, client.clientName, client.status, last ?? (client.rows == nil ? "?" : "-"),
                client.rowsLastDay.map(Self.short) ?? "?", client.schemaVersion.map { "\($0)" } ?? "-",
            ])
        }
        return table
    }

    /// As many digits as the column holds; `--json` has all of them.
    private static func short(_ count: Int) -> String {
        switch count {
        case ..<10_000_000: count.grouped
        case ..<10_000_000_000: (count / 1_000_000).grouped + " M"
        default: (count / 1_000_000_000).grouped + " G"
        }
    }
}

/// What a changed key looks like: the only time that it is shown.
public struct RotatedKeyDocument: Encodable, Sendable {
    public var clientID: String
    public var apiKey: String
    public var apiKeyHash: String
    /// Until when the key before is accepted, RFC 3339; nil: it has ended.
    public var previousKeyExpiresAt: String?
    /// A key of an earlier rotation was still accepted, and is not any more.
    public var endedEarlier: Bool

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case apiKey = "api_key"
        case apiKeyHash = "api_key_hash"
        case previousKeyExpiresAt = "previous_api_key_expires_at"
        case endedEarlier = "earlier_key_ended"
    }
}

/// What `client add` prints: the only time that the key is shown.
public struct NewClientDocument: Encodable, Sendable {
    public var clientID: String
    public var clientName: String
    public var status: String
    public var databaseName: String
    public var apiKey: String
    public var apiKeyHash: String

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case clientName = "client_name"
        case status
        case databaseName = "ch_database_name"
        case apiKey = "api_key"
        case apiKeyHash = "api_key_hash"
    }
}
