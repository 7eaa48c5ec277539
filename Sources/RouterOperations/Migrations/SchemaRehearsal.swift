import ClickHouseClient
import RouterCore

/// What a set of files makes, found out by making it: a database of its own on the same server, gone afterwards.
struct SchemaRehearsal: Sendable {
    /// Left behind by a run that was killed; removed by the next one that holds the lock.
    static let prefix = "router_rehearsal_"

    let warehouse: Warehouse

    /// Applies the files to an empty database, puts one row through the router's own INSERT, and says what there is then.
    ///
    /// - Throws: `SchemaStop.failed` with the statement that ClickHouse refuses.
    func schema(of versions: [SchemaVersion], cluster: String?) async throws -> LiveSchema {
        let database = Self.prefix + String(UInt64.random(in: .min ... .max), radix: 16)
        do {
            for version in versions {
                for statement in try version.statements(database: database, cluster: cluster) {
                    do {
                        try await warehouse.ask(statement.sql)
                    } catch let exception as ClickHouseException {
                        throw SchemaStop.failed(
                            "on an empty database ClickHouse refuses statement \(statement.number) of \(version.fileName) "
                                + "(line \(statement.line)): \(exception)")
                    }
                }
            }
            let schema = try await LiveSchema.read(warehouse, database: database)
            try await insertOneRow(database)
            try await drop(database, cluster)
            return schema
        } catch {
            try? await drop(database, cluster)
            throw error
        }
    }

    /// A row with every column that the router names: views and defaults that throw would stop every event of a client.
    private func insertOneRow(_ database: String) async throws {
        let table = Identifier.quoted(database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        let values = EventColumn.allCases.map { column in
            switch column {
            case .eventProperties: #"'{"page_url":"https://a.example/","price":"1.5","quantity":2,"nested":{"a":[1]}}'"#
            case .extraFields: "'{}'"
            case .eventName: "'rehearsal'"
            default: "defaultValueOfTypeName('\(TableShape.type(of: column).replacing("'", with: "\\'"))')"
            }
        }
        do {
            try await warehouse.ask(
                "INSERT INTO \(table) (\(EventColumns.list)) SELECT \(values.joined(separator: ", "))")
        } catch let exception as ClickHouseException {
            throw SchemaStop.failed("after all migrations a row cannot be inserted as the router does: \(exception)")
        }
    }

    private func drop(_ database: String, _ cluster: String?) async throws {
        let sql = "DROP DATABASE IF EXISTS \(Identifier.quoted(database))"
        try await warehouse.ask(cluster.map { try ClusterSQL.statement(sql, cluster: $0) } ?? sql)
    }

    /// - Precondition: the lock on all schemas is held, so that nobody else's rehearsal is under way.
    func removeLeftovers() async throws {
        let body = try await warehouse.ask(
            "SELECT arrayStringConcat(groupArray(name), ',') FROM system.databases WHERE startsWith(name, {p:String}) "
                + "FORMAT TabSeparatedRaw", [("p", Self.prefix)])
        let names = String(decoding: body, as: UTF8.self).split(whereSeparator: { $0 == "," || $0.isNewline })
        for name in names { try await drop(String(name), nil) }
    }
}
