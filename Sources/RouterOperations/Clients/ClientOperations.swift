import ClientStore
import Foundation
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router client …`: what an operator does with the rows of Postgres' `clients`.
public struct ClientOperations {
    /// Longer names are cut in every table.
    public static let maxNameBytes = 200

    let repository: ClientRepository
    private let settings: Settings

    public init(settings: Settings) throws {
        self.settings = settings
        repository = ClientRepository(try PostgresConnection(settings.postgresSettings))
    }

    /// Makes a `pending` client and its key. The key leaves the program by `show` and is kept nowhere, so it is shown
    /// before the client is there: where it cannot be shown, no client is made.
    public func add(
        name: String, id: ClientID?, database: String?, show: (NewClientDocument) throws -> Void
    ) throws {
        try Self.check(name: name)
        let id = id ?? .random()
        let key = APIKey.generate()
        try Self.shownFirst("client \(id) was made", id) { isShown in
            _ = try repository.add(name: name, id: id, database: database, keyHash: key.hash) { record in
                try show(
                    NewClientDocument(
                        clientID: record.id.description, clientName: record.name, status: record.status.rawValue,
                        databaseName: record.databaseName, apiKey: key.text, apiKeyHash: key.hash.hex))
                isShown = true
            }
        }
    }

    /// A commit that fails after the key was shown is told apart from a failure before: a person holds a key.
    private static func shownFirst(_ what: String, _ id: ClientID, _ body: (inout Bool) throws -> Void) throws {
        var isShown = false
        do {
            try body(&isShown)
        } catch let error as PostgresError where isShown {
            throw OperationError(
                "key_unknown",
                "the key was shown, but Postgres did not confirm that \(what): see with `router client show \(id)`; the key "
                    + "is void if it was not. (\(error))")
        }
    }

    /// Every client, with what ClickHouse knows of it. The clients are shown also when ClickHouse is away.
    public func list() async throws -> ClientListDocument {
        try await document(of: try repository.list())
    }

    /// One client, as a list of one.
    public func show(_ id: ClientID) async throws -> ClientListDocument {
        try await document(of: [try found(id)])
    }

    private func document(of records: [ClientRecord]) async throws -> ClientListDocument {
        var list = ClientListDocument(clients: records.map(ClientDocument.init))
        guard !records.isEmpty else { return list }
        let warehouse = Warehouse(settings: settings, connections: 1)
        defer { warehouse.shutdown() }
        do {
            let (activities, note) = try await ClientActivity(warehouse: warehouse).read(records.map(\.databaseName))
            for (index, record) in records.enumerated() { list.clients[index].add(activities[record.databaseName]) }
            if let note { list.notes.append(note) }
        } catch {
            list.notes.append("events and rows are not known: \(CommandText.message(error))")
        }
        return list
    }

    func found(_ id: ClientID) throws -> ClientRecord {
        guard let record = try repository.find(id) else {
            throw OperationError(
                "client_not_found", "there is no client with the id \(id); `router client list` shows all")
        }
        return record
    }

    // MARK: Changes

    /// Another key. It leaves the program by `show` and is kept nowhere; where it cannot be shown, the key before stays.
    public func rotateKey(
        _ id: ClientID, keepOldMilliseconds: Int64, show: (RotatedKeyDocument) throws -> Void
    ) throws {
        let before = try found(id)
        let key = APIKey.generate()
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        try Self.shownFirst("client \(id) has it (\"Changed\" is then)", id) { isShown in
            try repository.rotateKey(
                id, to: key.hash, previousValidForMilliseconds: keepOldMilliseconds
            ) { after in
                try show(
                    RotatedKeyDocument(
                        clientID: id.description, apiKey: key.text, apiKeyHash: key.hash.hex,
                        previousKeyExpiresAt: after.previousKeyExpiresAtMilliseconds.flatMap {
                            TimeText.rfc3339(milliseconds: $0)
                        },
                        endedEarlier: before.previousKeyExpiresAtMilliseconds.map { $0 > now } ?? false))
                isShown = true
            }
        }
    }

    public func suspend(_ id: ClientID) throws -> ClientDocument {
        ClientDocument(try changeStatus(id, from: .active, to: .suspended))
    }

    public func resume(_ id: ClientID) throws -> ClientDocument {
        ClientDocument(try changeStatus(id, from: .suspended, to: .active))
    }

    private func changeStatus(_ id: ClientID, from: ClientStatus, to: ClientStatus) throws -> ClientRecord {
        do {
            return try repository.setStatus(id, from: [from], to: to)
        } catch let error as ClientRepositoryError where error.code == .statusRefused {
            let next: String? =
                switch try repository.find(id)?.status {
                case to: "it is so already; nothing was changed"
                case .pending: "run: router provision \(id)"
                case .deprovisioned: "add it as a new client"
                default: nil
                }
            throw OperationError(error.code.rawValue, error.message + (next.map { "; \($0)" } ?? ""))
        }
    }

    public func rename(_ id: ClientID, to name: String) throws -> ClientDocument {
        try Self.check(name: name)
        return ClientDocument(try repository.rename(id, to: name))
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
