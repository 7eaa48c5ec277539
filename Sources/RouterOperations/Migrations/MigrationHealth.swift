import ClickHouseClient
import RouterCore

extension Migrator {
    /// What a canary is asked before the other clients follow: its table answers with every column, takes an INSERT that
    /// names the router's columns (of no rows: every row in a client's table has to come from Kafka), and is what the
    /// files make of an empty database, into which a row was put in the router's own way.
    func checkHealth(_ job: Job) async throws {
        let table =
            Identifier.quoted(job.record.databaseName) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        let columns = EventColumns.list
        for (what, sql) in [
            ("read", "SELECT * FROM \(table) LIMIT 1 FORMAT Null"),
            ("read with the router's columns", "SELECT \(columns) FROM \(table) LIMIT 1 FORMAT Null"),
            ("inserted into", "INSERT INTO \(table) (\(columns)) SELECT \(columns) FROM \(table) WHERE 0"),
        ] {
            do {
                try await warehouse.ask(sql)
            } catch let exception as ClickHouseException {
                throw SchemaStop.failed("after the migration the table cannot be \(what): \(exception)")
            }
        }
        let present = job.versions.filter { version in
            version.version <= options.target ?? Int.max
                || !job.plan.steps.contains { $0.version.version == version.version }
        }
        let expected = try await SchemaRehearsal(warehouse: warehouse).schema(of: present, cluster: job.cluster)
        let live = try await LiveSchema.read(warehouse, database: job.record.databaseName)
        let drift = live.difference(from: expected)
        guard drift.isEmpty else {
            throw SchemaStop.failed(
                "after the migration its tables are not what the files make (router migrate verify --client "
                    + "\(job.record.id)): \(drift.joined(separator: "; "))")
        }
    }
}
