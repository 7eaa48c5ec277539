import ClientStore
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router client …`: what an operator does with the rows of Postgres' `clients`.
public struct ClientOperations {
    /// Longer names are cut in every table.
    public static let maxNameBytes = 200

    private let repository: ClientRepository

    public init(settings: Settings) throws {
        repository = ClientRepository(try PostgresConnection(settings.postgresSettings))
    }

    /// Makes a `pending` client and its key. The key leaves the program in the answer and is kept nowhere.
    public func add(name: String, id: ClientID?, database: String?) throws -> NewClientDocument {
        try Self.check(name: name)
        let key = APIKey.generate()
        let record = try repository.add(name: name, id: id ?? .random(), database: database, keyHash: key.hash)
        return NewClientDocument(
            clientID: record.id.description, clientName: record.name, status: record.status.rawValue,
            databaseName: record.databaseName, apiKey: key.text, apiKeyHash: key.hash.hex)
    }

    public func list() throws -> ClientListDocument {
        ClientListDocument(clients: try repository.list().map(ClientDocument.init))
    }

    public func show(_ id: ClientID) throws -> ClientDocument {
        guard let record = try repository.find(id) else {
            throw OperationError(
                "client_not_found", "there is no client with the id \(id); `router client list` shows all")
        }
        return ClientDocument(record)
    }

    /// Names are for people. What steers a terminal or breaks a line is nobody's name.
    static func check(name: String) throws(OperationError) {
        guard name.contains(where: { !$0.isWhitespace }) else {
            throw OperationError("client_name_invalid", "a client needs a name that is not empty")
        }
        guard name.utf8.count <= maxNameBytes else {
            throw OperationError(
                "client_name_invalid",
                "a client's name has at most \(maxNameBytes) bytes, this one has \(name.utf8.count)")
        }
        guard TextTable.printable(name) == name else {
            throw OperationError("client_name_invalid", "a client's name cannot hold control characters")
        }
    }
}
