import ClientStore
import PostgresClient
import RouterCore

/// Which origins may have their row in a table that cannot be read: those of records that name its client, and those that
/// a fix-up once gave to it. No other row is in a client's table by the router's doing.
struct UnknownOwners {
    /// How many databases could not be read when this was made.
    let count: Int
    private let clients: [UnknownClient]
    private let ids: Set<ClientID>
    private let mended: MendedOrigins

    /// nil where every table could be read.
    init?(_ unreadable: UnreadableDatabases, _ connection: PostgresConnection, topic: String) throws {
        count = unreadable.names.count
        guard count > 0 else { return nil }
        clients = unreadable.clients(try ClientRepository(connection).list())
        ids = Set(clients.compactMap { $0.clientID.flatMap { ClientID($0) } })
        mended = try MendedOrigins.load(connection, topic: topic)
    }

    /// - Parameter named: the client that the record names.
    func mayHold(_ partition: Int32, _ offset: Int64, named: ClientID?) -> Bool {
        if let named, ids.contains(named) { return true }
        return mended.client(partition, offset).map { ids.contains($0) } ?? false
    }

    /// Those whose letters the filter may choose.
    func clients(matching filter: DeadLetterFilter) -> [UnknownClient] {
        guard !filter.clients.isEmpty else { return clients }
        return clients.filter { one in
            one.clientID.flatMap { ClientID($0) }.map { filter.clients.contains($0) } ?? false
        }
    }
}
