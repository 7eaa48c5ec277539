import ClientStore
import RouterCore

/// `migrate status`: which client has which version.
public struct MigrationStatus: Encodable, Sendable {
    public enum State: String, Encodable, Sendable {
        case applied
        case pending
        /// Begun, and stopped at a statement.
        case partial
        /// Applied, and the file is another one now.
        case changed
        /// Applied, and there is no such file.
        case unknown
    }

    public struct Version: Encodable, Sendable {
        public var version: Int
        public var name: String
        public var state: State
        /// Of a version that is partial: how many statements are done, of how many, and what the last one was told.
        public var statementsDone: Int?
        public var statements: Int?
        public var error: String?

        enum CodingKeys: String, CodingKey {
            case version, name, state, statements, error
            case statementsDone = "statements_done"
        }

        var mark: String {
            switch state {
            case .applied: "yes"
            case .pending: "-"
            case .partial: "\(statementsDone ?? 0)/\(statements ?? 0)"
            case .changed: "changed"
            case .unknown: "?"
            }
        }
    }

    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        public var status: String
        public var cluster: String?
        public var versions: [Version]
        /// Why `up` would not go on.
        public var refusal: String?

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case status, cluster, versions, refusal
        }
    }

    public internal(set) var clients: [Client] = []

    /// True when something needs a person: a version half applied, or a file that is not the one that was applied.
    public var needsAttention: Bool {
        clients.contains { $0.versions.contains { $0.state == .partial || $0.state == .changed } || $0.refusal != nil }
    }

    /// Columns beyond these would not fit 100 characters; the older versions are then left out.
    static let maxVersionColumns = 6

    public var table: TextTable {
        let all = Set(clients.flatMap { $0.versions.map(\.version) }).sorted()
        let shown = all.suffix(Self.maxVersionColumns)
        var table = TextTable(
            [.init("CLIENT", maxWidth: 36), .init("NAME", maxWidth: 14), .init("STATUS", maxWidth: 9)]
                + shown.map { .init("v\($0)", maxWidth: 7) })
        for client in clients {
            let marks = Dictionary(client.versions.map { ($0.version, $0.mark) }, uniquingKeysWith: { $1 })
            table.add([client.clientID, client.clientName, client.status] + shown.map { marks[$0] ?? "" })
        }
        return table
    }

    /// What is wrong, a line each.
    public var findings: [String] {
        clients.flatMap { client in
            client.versions.compactMap { version -> String? in
                guard version.state == .partial, let error = version.error else { return nil }
                return
                    "\(client.clientID): version \(version.version) stopped at a statement: \(TextTable.oneLine(error))"
            } + (client.refusal.map { ["\(client.clientID): \(TextTable.oneLine($0))"] } ?? [])
        }
    }
}

extension Migrator {
    /// Read from Postgres and the files alone; ClickHouse is not asked.
    public func status() async throws -> MigrationStatus {
        var result = MigrationStatus()
        for job in try await jobs() {
            let open = Dictionary(job.plan.steps.map { ($0.version.version, $0) }, uniquingKeysWith: { $1 })
            let changed = Set(job.plan.changed.map(\.version))
            var versions = job.versions.map { version -> MigrationStatus.Version in
                var one = MigrationStatus.Version(version: version.version, name: version.name, state: .applied)
                if changed.contains(version.version) { one.state = .changed }
                if let step = open[version.version] {
                    one.state = step.progress.isEmpty ? .pending : .partial
                    if one.state == .partial {
                        one.statements = step.statements.count
                        one.statementsDone = step.statements.count - step.open.count
                        one.error = step.progress.values.first { $0.state == .failed }?.error
                    }
                }
                return one
            }
            versions += job.plan.unknown.map { .init(version: $0.version, name: $0.name, state: .unknown) }
            result.clients.append(
                .init(
                    clientID: job.record.id.description, clientName: job.record.name,
                    status: job.record.status.rawValue, cluster: job.cluster,
                    versions: versions.sorted { $0.version < $1.version }, refusal: job.plan.refusal))
        }
        return result
    }
}
