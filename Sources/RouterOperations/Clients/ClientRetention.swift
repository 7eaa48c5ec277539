import ClickHouseClient
import ClickHouseNative
import ClientStore
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// For how many days a client's table keeps events: ClickHouse's TTL on the event's own time, and Postgres' history of it,
/// by which audit tells what has expired from what was lost.
///
/// Postgres says so before the first row can go, and goes on saying so until the last one has: a command that was stopped
/// half way leaves an audit that is too lenient by one period, and is put right when it is repeated.
public struct ClientRetention {
    public static let maxDays = 36_500

    private let connection: PostgresConnection
    private let repository: ClientRepository
    private let warehouse: Warehouse

    public init(settings: Settings) throws {
        connection = try PostgresConnection(settings.postgresSettings)
        repository = ClientRepository(connection)
        warehouse = Warehouse(settings: settings, connections: 1)
    }

    public func shutdown() { warehouse.shutdown() }

    /// - Parameter days: nil keeps events for ever.
    public func set(_ id: ClientID, days: Int?) async throws -> ClientDocument {
        guard let record = try repository.find(id) else {
            throw OperationError(
                "client_not_found", "there is no client with the id \(id); `router client list` shows all")
        }
        guard record.status == .active || record.status == .suspended else {
            throw OperationError(
                "client_status_refused",
                "client \(id) is \(record.status.rawValue) and has no table to keep events in"
                    + (record.status == .pending ? "; run: router provision \(id)" : ""))
        }
        try OperatorLocks.take(client: id, connection)
        let present = try await timeToLive(record.databaseName)
        if let present, TableTTL.days(present) == nil {
            throw OperationError(
                "retention_not_ours",
                "\(record.databaseName).events_base has a TTL that this program did not set (\(TextTable.oneLine(present))); "
                    + "remove it first: ALTER TABLE \(record.databaseName).events_base REMOVE TTL")
        }
        let table = Identifier.quoted(record.databaseName) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        if let days {
            let period = try repository.beginRetention(id, days: days, operatorName: OperatorName.current)
            try await warehouse.ask("ALTER TABLE \(table) MODIFY TTL \(TableTTL.expression(days: days))")
            try repository.endRetentions(id, but: period)
        } else {
            if present != nil { try await warehouse.ask("ALTER TABLE \(table) REMOVE TTL") }
            try repository.endRetentions(id, but: nil)
        }
        return ClientDocument(try repository.find(id) ?? record)
    }

    /// How many rows are older than so many days now.
    public func loss(_ id: ClientID, days: Int) async throws -> (rows: Int, clientName: String) {
        guard let record = try repository.find(id), record.status == .active || record.status == .suspended else {
            // `set` says what is wrong.
            return (0, "")
        }
        var rows = EventRowsToRemove(
            warehouse: warehouse, database: record.databaseName, table: DestinationStatement.eventsTable)
        rows.condition = "event_timestamp < now() - toIntervalDay(\(days))"
        return (try await rows.count(), record.name)
    }

    private func timeToLive(_ database: String) async throws -> String? {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                "SELECT engine_full FROM system.tables WHERE database = {db:String} AND name = {t:String} FORMAT RowBinary",
                [("db", database), ("t", DestinationStatement.eventsTable)]))
        guard !reader.isAtEnd else {
            throw OperationError(
                "table_missing",
                "\(database) has no table events_base; `router provision` makes it")
        }
        return TableTTL.clause(inEngine: try reader.readString())
    }
}

/// The TTL of a client's table as SQL.
enum TableTTL {
    static func expression(days: Int) -> String { "toDateTime(event_timestamp) + toIntervalDay(\(days))" }

    /// What stands behind TTL in the text of a table's engine; nil without one.
    static func clause(inEngine text: String) -> String? {
        guard let start = text.firstRange(of: " TTL ") else { return nil }
        let rest = text[start.upperBound...]
        let end = rest.firstRange(of: " SETTINGS ")?.lowerBound ?? rest.endIndex
        return String(rest[..<end])
    }

    /// The days of a clause that this program has written; nil for any other.
    static func days(_ clause: String) -> Int? {
        let (head, tail) = ("toDateTime(event_timestamp) + toIntervalDay(", ")")
        guard clause.hasPrefix(head), clause.hasSuffix(tail) else { return nil }
        return Int(clause.dropFirst(head.count).dropLast(tail.count))
    }
}
