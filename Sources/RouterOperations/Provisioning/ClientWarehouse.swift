import ClickHouseNative
import RouterCore

/// What provisioning asks about one client's database, and does to it.
struct ClientWarehouse {
    let warehouse: Warehouse
    let database: String

    private var table: String {
        Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
    }

    private var names: [(String, String)] { [("db", database), ("t", DestinationStatement.eventsTable)] }

    func shape() async throws -> TableShape {
        var shape = TableShape()
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT name, type FROM system.columns WHERE database = {db:String} AND table = {t:String} \
                ORDER BY position FORMAT RowBinary
                """, names))
        while !reader.isAtEnd {
            shape.columns.append(.init(name: try reader.readString(), type: try reader.readString()))
        }
        guard shape.exists else { return shape }
        var engine = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT engine, engine_full FROM system.tables WHERE database = {db:String} AND name = {t:String} \
                FORMAT RowBinary
                """, names))
        guard !engine.isAtEnd else { return shape }
        shape.engine = try engine.readString()
        let setting = windowSetting(shape.engine)
        if let value = TableShape.setting(setting, inEngine: try engine.readString()) {
            shape.deduplicationWindow = value
        } else {
            shape.deduplicationWindow = try await defaultSetting(setting)
        }
        return shape
    }

    func windowSetting(_ engine: String) -> String {
        engine.hasPrefix("Replicated") ? "replicated_deduplication_window" : "non_replicated_deduplication_window"
    }

    /// What a table has that does not say it itself.
    private func defaultSetting(_ name: String) async throws -> Int {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                "SELECT toString(value) FROM system.merge_tree_settings WHERE name = {n:String} FORMAT RowBinary",
                [("n", name)]))
        return reader.isAtEnd ? 0 : Int(try reader.readString()) ?? 0
    }

    /// True when the table holds a row that says to be of another client.
    func holdsRows(notOf client: ClientID) async throws -> Bool {
        let body = try await warehouse.ask(
            "SELECT 1 FROM \(table) WHERE client_id != {c:UUID} LIMIT 1 FORMAT RowBinary", [("c", client.description)])
        return !body.isEmpty
    }

    /// The tables of the database with a rough number of rows, the largest first; empty where there is no such database.
    func contents() async throws -> [(name: String, rows: UInt64)] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT name, ifNull(total_rows, 0) FROM system.tables WHERE database = {db:String} \
                ORDER BY total_rows DESC, name FORMAT RowBinary
                """, [("db", database)]))
        var tables: [(name: String, rows: UInt64)] = []
        while !reader.isAtEnd { tables.append((try reader.readString(), try reader.readUInt64())) }
        return tables
    }
}
