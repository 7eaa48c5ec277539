import ClientStore
import RouterCore

/// What `migrate up` did for each client.
public struct MigrationReport: Encodable, Sendable {
    public enum Outcome: String, Encodable, Sendable {
        /// Every version asked for is applied, and some were not before.
        case migrated
        /// There was nothing to do.
        case unchanged
        /// Not carried out, and why is in `detail`; it needs a person.
        case refused
        /// ClickHouse refused a statement; the next run goes on at it.
        case failed
        /// Not begun, because a canary failed or a server was lost.
        case notStarted = "not_started"
    }

    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        public var outcome: Outcome = .notStarted
        /// The highest version up to which all are applied.
        public var schemaVersion: Int
        public var appliedVersions: [Int] = []
        public var statements = 0
        public var isCanary = false
        public var detail: String?

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case schemaVersion = "schema_version"
            case appliedVersions = "applied_versions"
            case isCanary = "canary"
            case outcome, statements, detail
        }
    }

    public internal(set) var clients: [Client] = []
    public internal(set) var statements = 0
    public internal(set) var seconds = 0.0
    /// Why clients were not begun; nil when all were.
    public internal(set) var stopped: String?

    /// True when every client has what was asked for.
    public var isComplete: Bool {
        stopped == nil && !clients.contains { [.refused, .failed, .notStarted].contains($0.outcome) }
    }

    public func count(_ outcome: Outcome) -> Int { clients.count { $0.outcome == outcome } }

    public var statementsPerSecond: Double { seconds > 0 ? Double(statements) / seconds : 0 }
}

/// What a `--dry-run` would send to ClickHouse.
public struct SchemaDryRun: Encodable, Sendable {
    public struct Statement: Encodable, Sendable {
        public var clientID: String
        public var version: Int
        public var statement: Int
        public var file: String
        public var line: Int
        public var sql: String

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case version, statement, file, line, sql
        }
    }

    public struct Refusal: Encodable, Sendable {
        public var clientID: String
        public var detail: String

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case detail
        }
    }

    public internal(set) var statements: [Statement] = []
    public internal(set) var refusals: [Refusal] = []

    mutating func add(_ plan: SchemaPlan, _ id: ClientID) {
        if let refusal = plan.refusal { return refusals.append(Refusal(clientID: id.description, detail: refusal)) }
        for step in plan.steps {
            for statement in step.open {
                statements.append(
                    Statement(
                        clientID: id.description, version: step.version.version, statement: statement.number,
                        file: step.version.fileName, line: statement.line, sql: statement.sql))
            }
        }
    }

    mutating func add(sql: String, file: String, _ id: ClientID) {
        statements.append(
            Statement(clientID: id.description, version: 0, statement: 0, file: file, line: 0, sql: sql))
    }

    /// A script that `clickhouse-client --multiquery` would take.
    public var lines: [String] {
        statements.map { each in
            let place = each.line > 0 ? "\(each.file), line \(each.line)" : each.file
            return "-- client \(each.clientID), \(place)\n\(each.sql);\n"
        } + refusals.map { "-- client \($0.clientID) is refused: \(TextTable.oneLine($0.detail))" }
    }
}
