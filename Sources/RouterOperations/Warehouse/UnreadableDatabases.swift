import ClickHouseClient
import ClientStore
import PostgresClient
import RouterCore
import Synchronization

/// A client of whom nothing can be said: its table could not be read, while the others could. What is about it is neither
/// missing nor open, and nobody else's answer has to wait for it.
public struct UnknownClient: Encodable, Sendable, Equatable {
    /// nil: the database is no client's in Postgres.
    public var clientID: String?
    public var databaseName: String
    /// The server's words.
    public var error: String

    enum CodingKeys: String, CodingKey {
        case error
        case clientID = "client_id"
        case databaseName = "ch_database_name"
    }

    var line: String {
        (clientID.map { "client \($0) is unknown: its database \(databaseName)" } ?? "the database \(databaseName)")
            + " cannot be read: \(error)"
    }
}

/// The databases of one run whose `events_base` could not be read. Each is asked once: a table that hangs costs its time
/// limit, and that once.
final class UnreadableDatabases: Sendable {
    /// Less than for the server as a whole: what is wrong with one table seldom passes while a person waits.
    static let attempts = 3

    private let warehouse: Warehouse
    private let words = Mutex<[String: String]>([:])

    init(warehouse: Warehouse) { self.warehouse = warehouse }

    var names: Set<String> { words.withLock { Set($0.keys) } }

    /// The server's words about it; nil for one that could be read.
    func error(_ database: String) -> String? { words.withLock { $0[database] } }

    /// Remembers that a question about one database failed.
    ///
    /// - Throws: the error itself where it is not that database's own: ClickHouse as a whole does not answer.
    func note(_ database: String, _ error: any Error) async throws {
        switch error {
        case is ClickHouseException, is ClickHouseTransportFault: break
        case let error as OperationError where error.code == "clickhouse_unreachable": break
        default: throw error
        }
        try await warehouse.ask(DestinationProbe.server)
        words.withLock { $0[database] = "\(error)" }
    }

    /// Where every one of several could not be read, it is the server or the login that fails.
    func checkSomeAnswer(of databases: Int) throws {
        let words = words.withLock { $0 }
        guard databases > 1, words.count >= databases, let first = words.min(by: { $0.key < $1.key }) else { return }
        throw OperationError(
            "clickhouse_unreadable",
            "none of the \(databases) databases with clients' tables can be read; of \(first.key) ClickHouse says: "
                + "\(first.value); see that it is well, and the CLICKHOUSE_ settings",
            isRetriable: true)
    }

    /// By the client, in the order of the databases' names.
    func clients(_ records: [ClientRecord]) -> [UnknownClient] {
        let owners = Dictionary(records.map { ($0.databaseName, $0.id) }, uniquingKeysWith: { $1 })
        return words.withLock { $0 }.sorted { $0.key < $1.key }.map {
            UnknownClient(clientID: owners[$0.key]?.description, databaseName: $0.key, error: $0.value)
        }
    }
}
