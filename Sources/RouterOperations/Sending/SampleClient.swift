import Foundation
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// A client in whose name sample events are sent. It holds the key's hash: never print it.
struct SampleClient: Sendable {
    var id: ClientID
    var isActive: Bool
    /// The texts as they go into events.
    var idText: [UInt8]
    var keyHashText: [UInt8]

    init(id: ClientID, isActive: Bool, keyHash: String) {
        self.id = id
        self.isActive = isActive
        idText = Array(id.description.utf8)
        keyHashText = Array(keyHash.utf8)
    }
}

enum SampleClients {
    /// All clients of Postgres, the oldest first.
    static func fromPostgres(_ settings: Settings) throws -> [SampleClient] {
        let connection = try PostgresConnection(settings.postgresSettings)
        let rows = try connection.query(
            "SELECT client_id, api_key_hash, status FROM public.clients ORDER BY created_at, client_id"
        ).rows
        return try rows.map { row in
            guard let id = ClientID(try row.required("client_id")) else {
                throw OperationError("client_invalid", "a client_id in Postgres is not a UUID")
            }
            return SampleClient(
                id: id, isActive: try row.required("status") == ClientStatus.active.rawValue,
                keyHash: try row.required("api_key_hash"))
        }
    }

    private struct Line: Decodable {
        var client_id: String
        var api_key_hash: String
    }

    /// Larger than a file of a hundred thousand clients.
    static let maxFileBytes = 64 * 1024 * 1024

    /// A file of what `router client add --json` prints, one a line.
    static func fromFile(_ path: String) throws -> [SampleClient] {
        guard let data = FileManager.default.contents(atPath: path), data.count <= maxFileBytes else {
            throw OperationError(
                "clients_file_unreadable", "the file \(path) cannot be read, or is larger than \(maxFileBytes) bytes")
        }
        var clients: [SampleClient] = []
        for (index, line) in data.split(separator: 0x0A).enumerated() where line.contains(where: { $0 > 0x20 }) {
            guard let parsed = try? JSONDecoder().decode(Line.self, from: Data(line)),
                let id = ClientID(parsed.client_id),
                KeyHash(hex: parsed.api_key_hash) != nil
            else {
                throw OperationError(
                    "clients_file_invalid",
                    "\(path), line \(index + 1): a JSON object with client_id and api_key_hash was expected, as "
                        + "`router client add --json` prints it")
            }
            clients.append(SampleClient(id: id, isActive: true, keyHash: parsed.api_key_hash))
        }
        return clients
    }
}
