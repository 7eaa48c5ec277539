import ClickHouseClient
import ClickHouseNative
import RouterCore

/// What deprovisioning asks about one client's database, and does to it.
struct DeprovisionDatabase: Sendable {
    /// The name that the table gets before it is counted: whoever inserts finds it no more, and what is counted stays
    /// so until it is dropped.
    static let sealedTable = DestinationStatement.eventsTable + "_deprovisioned"

    let warehouse: Warehouse
    let database: String

    /// What is there.
    struct Contents: Sendable, Equatable {
        var exists = false
        var hasLive = false
        var hasSealed = false
        /// Other tables and views.
        var others: [String] = []
        /// Of all tables together, on disk.
        var bytes = 0

        /// The table with the events; nil when there is none.
        var eventsTable: String? {
            if hasSealed { return DeprovisionDatabase.sealedTable }
            return hasLive ? DestinationStatement.eventsTable : nil
        }
    }

    func contents() async throws -> Contents {
        var contents = Contents()
        let found = try await warehouse.ask(
            "SELECT count() FROM system.databases WHERE name = {db:String} FORMAT RowBinary", [("db", database)])
        contents.exists = try CountAnswer.read(found) > 0
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT name, toUInt64(ifNull(total_bytes, 0)) FROM system.tables WHERE database = {db:String} \
                ORDER BY name FORMAT RowBinary
                """, [("db", database)]))
        while !reader.isAtEnd {
            let name = try reader.readString()
            contents.bytes += Int(clamping: try reader.readUInt64())
            switch name {
            case DestinationStatement.eventsTable: contents.hasLive = true
            case Self.sealedTable: contents.hasSealed = true
            default: contents.others.append(name)
            }
        }
        return contents
    }

    func rows(_ table: String) -> EventRowsToRemove {
        EventRowsToRemove(warehouse: warehouse, database: database, table: table)
    }

    /// True when the table holds a row that says to be of another client.
    func holdsRows(notOf client: ClientID, in table: String) async throws -> Bool {
        let body = try await warehouse.ask(
            "SELECT 1 FROM \(rows(table).quotedTable) WHERE client_id != {c:UUID} LIMIT 1 FORMAT RowBinary",
            [("c", client.description)])
        return !body.isEmpty
    }

    /// Takes the table out of everybody's reach.
    func seal() async throws { try await rename(DestinationStatement.eventsTable, to: Self.sealedTable) }

    /// Puts it back.
    func unseal() async throws { try await rename(Self.sealedTable, to: DestinationStatement.eventsTable) }

    /// A rename is not sent twice: after an unknown outcome the tables tell what became of it.
    private func rename(_ table: String, to other: String) async throws {
        do {
            try await warehouse.ask("RENAME TABLE \(rows(table).quotedTable) TO \(rows(other).quotedTable)")
        } catch let exception as ClickHouseException where [57, 60].contains(exception.code) {
            let contents = try await contents()
            let isDone =
                other == Self.sealedTable
                ? contents.hasSealed && !contents.hasLive : contents.hasLive && !contents.hasSealed
            guard isDone else { throw exception }
        }
    }

    func drop() async throws { try await warehouse.ask("DROP DATABASE IF EXISTS \(Identifier.quoted(database)) SYNC") }
}

/// What is going on in several clients' databases at once.
struct WarehouseActivity: Sendable {
    let warehouse: Warehouse

    /// How many statements of routers about any of these clients are under way: their query ids name the client
    /// (`multiSearchAny` would take 255 of them at most). What a
    /// replay that was killed may have left under way names none, and counts in any case.
    func running(_ clients: [ClientID]) async throws -> Int {
        let ids = clients.map { "'\($0)'" }.joined(separator: ",")
        return Int(
            clamping: try CountAnswer.read(
                try await warehouse.ask(
                    """
                    SELECT count() FROM system.processes WHERE arrayExists(id -> position(query_id, id) > 0, [\(ids)]) \
                    OR startsWith(query_id, 'reinsert-') FORMAT RowBinary
                    """)))
    }

    /// Rows in the live tables of these databases, by the parts that there are.
    func rows(_ databases: [String]) async throws -> Int {
        // Names have been checked (`DatabaseName`): letters, digits and underscores.
        let names = databases.map { "'\($0)'" }.joined(separator: ",")
        return Int(
            clamping: try CountAnswer.read(
                try await warehouse.ask(
                    """
                    SELECT sum(rows) FROM system.parts WHERE active AND database IN (\(names)) \
                    AND table = {t:String} FORMAT RowBinary
                    """, [("t", DestinationStatement.eventsTable)])))
    }
}
