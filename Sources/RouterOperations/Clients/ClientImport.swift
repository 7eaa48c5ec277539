import ClientStore
import Foundation
import PostgresClient
import RouterCore

#if canImport(Glibc)
    import Glibc
#endif

/// What `client import` prints; with the keys only when they go nowhere else.
public struct ClientImportReport: Encodable, Sendable {
    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        public var databaseName: String
        /// nil for a client that came with the hash of its own key.
        public var apiKey: String?
        public var apiKeyHash: String?

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case databaseName = "ch_database_name"
            case apiKey = "api_key"
            case apiKeyHash = "api_key_hash"
        }
    }

    public var imported: Int
    /// Where the keys are; nil: they are here.
    public var keysFile: String?
    public var clients: [Client]

    enum CodingKeys: String, CodingKey {
        case imported, clients
        case keysFile = "keys_file"
    }
}

extension ClientOperations {
    /// Adds every client of a file as `pending`, or none.
    ///
    /// - Parameters:
    ///   - path: `-` for standard input.
    ///   - keysPath: a file that is not there yet; the new keys go into it, one JSON object a line, before any client is
    ///     there. nil: they are in the report that `show` gets.
    ///   - show: what the caller tells of it. It is called before any client is there when it has the keys, so that none
    ///     is added whose key was lost; else afterwards.
    public func importClients(
        from path: String, isCSV: Bool, keysPath: String?, show: (ClientImportReport) throws -> Void
    ) throws {
        var file = ClientImportFile(try Self.read(path), isCSV ? .csv : .jsonl)
        let made = file.entries.map(Self.made)
        if file.problem == nil { try findTaken(made, &file) }
        if let problem = file.problem {
            throw ImportRefusal(path: path, problem: problem)
        }
        let clients = made.map { one in
            ClientImportReport.Client(
                clientID: one.client.id.description, clientName: one.client.name, databaseName: one.client.database,
                apiKey: one.key?.text, apiKeyHash: one.client.keyHash.hex)
        }
        var written: String?
        var isShown = false
        do {
            try repository.add(made.map(\.client)) {
                guard let keysPath else {
                    try show(ClientImportReport(imported: clients.count, keysFile: nil, clients: clients))
                    isShown = true
                    return
                }
                try Self.write(clients, to: keysPath)
                written = keysPath
            }
        } catch let error as PostgresError where error.code == .timedOut || error.code == .connectionLost {
            // Whether it was committed is not known: the keys stay, as the clients may be there.
            throw written == nil && !isShown ? error : Self.unknownOutcome(error, written)
        } catch {
            if let written { unlink(written) }
            throw error
        }
        guard let keysPath else { return }
        try show(
            ClientImportReport(imported: clients.count, keysFile: keysPath, clients: clients.map(Self.withoutKey)))
    }

    private static func made(_ entry: ClientImportFile.Entry) -> (client: NewClient, key: APIKey?) {
        let id = entry.id ?? .random()
        let key = entry.keyHash == nil ? APIKey.generate() : nil
        let hash = entry.keyHash ?? key?.hash ?? KeyHash(0, 0, 0, 0)
        return (
            NewClient(
                id: id, name: entry.name, keyHash: hash, database: entry.database ?? DatabaseName.standard(for: id)),
            key
        )
    }

    private func findTaken(_ made: [(client: NewClient, key: APIKey?)], _ file: inout ClientImportFile) throws {
        let taken = try repository.taken(ids: made.map(\.client.id), databases: made.map(\.client.database))
        for (entry, one) in zip(file.entries, made) {
            if taken.ids.contains(one.client.id) {
                file.add("a client with the id \(one.client.id) exists already", line: entry.line)
            } else if taken.databases.contains(one.client.database) {
                file.add("the database \(one.client.database) belongs to another client", line: entry.line)
            }
        }
    }

    private static func unknownOutcome(_ error: PostgresError, _ keysPath: String?) -> OperationError {
        OperationError(
            "import_unknown",
            "the connection to Postgres broke while the clients were committed: see with `router client list` whether they are "
                + "there. Their keys "
                + (keysPath.map { "are in \($0); remove it when they are not." }
                    ?? "were shown, and are void when they are not.")
                + " (\(error))")
    }

    private static func withoutKey(_ client: ClientImportReport.Client) -> ClientImportReport.Client {
        var client = client
        client.apiKey = nil
        client.apiKeyHash = nil
        return client
    }

    private static func read(_ path: String) throws -> [UInt8] {
        do {
            let handle =
                path == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            // One byte more than is taken: the file says by itself that it is too long.
            return Array(try handle.read(upToCount: ClientImportFile.maxBytes + 1) ?? Data())
        } catch {
            throw OperationError("import_unreadable", "\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    /// For its owner alone, and on the disk before it returns.
    private static func write(_ clients: [ClientImportReport.Client], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw OperationError(
                "keys_file_failed",
                "the file for the keys, \(path), cannot be made: \(reason); no client was added")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            let lines = try clients.map { try JSONDocument.text($0) + "\n" }.joined()
            try handle.write(contentsOf: Data(lines.utf8))
            try handle.synchronize()
            try handle.close()
        } catch {
            unlink(path)
            throw OperationError(
                "keys_file_failed",
                "the keys cannot be written to \(path): \(error.localizedDescription); no client was added")
        }
    }
}

/// A file with faults: all of them, a line each, so that one run shows what is to be mended.
public struct ImportRefusal: Error, Sendable {
    public var path: String
    public var problem: String

    public var message: String {
        "import_refused: \(TextTable.printable(path)) cannot be imported, and nothing was:\(problem)"
    }
}
