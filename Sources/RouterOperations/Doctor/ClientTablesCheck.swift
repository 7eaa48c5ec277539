import ClickHouseNative
import ClientStore
import RouterCore

/// Every client's `events_base` against what the router needs, in a handful of questions however many clients there are.
struct ClientTablesCheck {
    let known: KnownClients
    let findings: Findings

    func run(_ questions: ClickHouseQuestions) async throws {
        let databases = try await strings(questions, "SELECT name FROM system.databases")
        let shapes = try await shapes(questions)
        let active = known.active
        let missing = active.filter { shapes[$0.databaseName] == nil }
        if missing.isEmpty {
            findings.ok("clickhouse.tables", "every one of \(active.count.grouped) active clients has its table")
        } else {
            findings.fault(
                "clickhouse.tables",
                "\(missing.count.grouped) active clients have no table: " + names(missing, { $0.databaseName }),
                "router provision CLIENT_ID; what came meanwhile is in the dead letters")
        }
        let misfits = active.filter { shapes[$0.databaseName]?.misfit != nil }
        if misfits.isEmpty {
            findings.ok("clickhouse.columns", "their columns are those that the router fills")
        } else {
            findings.fault(
                "clickhouse.columns",
                names(misfits) { "\($0.databaseName).events_base \(shapes[$0.databaseName]?.misfit ?? "")" },
                "router migrate status; a column that was changed by hand has to be changed back")
        }
        let narrow = active.filter {
            shapes[$0.databaseName]?.deduplicationWindow ?? .max < TableShape.minDeduplicationWindow
        }
        if narrow.isEmpty {
            findings.ok(
                "clickhouse.deduplication",
                "every table remembers \(TableShape.minDeduplicationWindow.grouped) inserts or more")
        } else {
            findings.fault(
                "clickhouse.deduplication",
                "too few inserts are remembered, so that a retry could double rows: "
                    + names(narrow) { "\($0.databaseName) (\(shapes[$0.databaseName]?.deduplicationWindow ?? 0))" },
                "ALTER TABLE … MODIFY SETTING non_replicated_deduplication_window = 10000 (replicated: "
                    + "replicated_deduplication_window)")
        }
        orphans(databases, with: Set(shapes.keys))
    }

    private func names(_ clients: [ClientRecord], _ text: (ClientRecord) -> String) -> String {
        Findings.some(clients.map(text), limit: 2)
    }

    /// Databases that look like a client's, by name or by their table, and are none's.
    private func orphans(_ databases: [String], with tables: Set<String>) {
        let taken = Set(known.clients.map(\.databaseName))
        let orphans = databases.filter { !taken.contains($0) && ($0.hasPrefix("client_") || tables.contains($0)) }
        if orphans.isEmpty {
            findings.ok("clickhouse.orphans", "every client database belongs to a client")
        } else {
            findings.warning(
                "clickhouse.orphans",
                "\(orphans.count.grouped) databases look like a client's and are none's: "
                    + Findings.some(orphans.sorted(), limit: 2),
                "see whose they were; give one a client with router client add --database, or drop it")
        }
    }

    private func strings(_ questions: ClickHouseQuestions, _ sql: String) async throws -> [String] {
        var answer = try await questions.ask(sql)
        var found: [String] = []
        while !answer.isAtEnd { found.append(try answer.readString()) }
        return found
    }

    /// By database.
    private func shapes(_ questions: ClickHouseQuestions) async throws -> [String: TableShape] {
        let table = [("t", DestinationStatement.eventsTable)]
        var shapes: [String: TableShape] = [:]
        var columns = try await questions.ask(
            "SELECT database, name, type FROM system.columns WHERE table = {t:String} ORDER BY database, position",
            table)
        while !columns.isAtEnd {
            let database = try columns.readString()
            shapes[database, default: TableShape()].columns.append(
                .init(name: try columns.readString(), type: try columns.readString()))
        }
        var defaults: [String: Int] = [:]
        var settings = try await questions.ask(
            """
            SELECT name, toString(value) FROM system.merge_tree_settings
             WHERE name IN ('non_replicated_deduplication_window', 'replicated_deduplication_window')
            """)
        while !settings.isAtEnd { defaults[try settings.readString()] = Int(try settings.readString()) }
        var tables = try await questions.ask(
            "SELECT database, engine, engine_full FROM system.tables WHERE name = {t:String}", table)
        while !tables.isAtEnd {
            let database = try tables.readString()
            let engine = try tables.readString()
            let setting =
                engine.hasPrefix("Replicated")
                ? "replicated_deduplication_window" : "non_replicated_deduplication_window"
            let window = TableShape.setting(setting, inEngine: try tables.readString()) ?? defaults[setting] ?? 0
            shapes[database]?.engine = engine
            shapes[database]?.deduplicationWindow = window
        }
        return shapes
    }
}
