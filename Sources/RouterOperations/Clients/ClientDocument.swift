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

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case clientName = "client_name"
        case status
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
    }

    /// Label and value, for a terminal.
    public var fields: [(String, String)] {
        [
            ("Client", clientID), ("Name", clientName), ("Status", status), ("Database", databaseName),
            ("Created", createdAt), ("Changed", updatedAt),
        ] + (previousKeyExpiresAt.map { [("Previous key ends", $0)] } ?? [])
    }
}

public struct ClientListDocument: Encodable, Sendable {
    public var clients: [ClientDocument]

    public var table: TextTable {
        var table = TextTable([
            .init("CLIENT", maxWidth: 36), .init("NAME", maxWidth: 24), .init("STATUS", maxWidth: 13),
            .init("DATABASE", maxWidth: 21),
        ])
        for client in clients {
            table.add([client.clientID, client.clientName, client.status, client.databaseName])
        }
        return table
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
