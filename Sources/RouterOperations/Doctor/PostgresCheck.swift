import ClientStore
import Foundation
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase

/// Postgres: reach, version, tables, rights, clock, notifications; and the clients that it knows.
struct PostgresCheck {
    let settings: Settings
    let findings: Findings

    /// CREATE OR REPLACE TRIGGER.
    private static let oldestVersion = 140_000
    /// What `router run` needs, table by table.
    private static let rights = [
        ("clients", ["SELECT"]), ("partition_progress", ["SELECT", "INSERT", "UPDATE"]), ("pauses", ["SELECT"]),
        ("router_schema", ["SELECT"]), ("offset_acceptances", ["SELECT", "UPDATE"]),
        ("retention_losses", ["INSERT"]),
    ]

    /// - Returns: nil when Postgres could not be asked for the clients.
    func run() -> KnownClients? {
        var postgres = settings.postgresSettings
        postgres.applicationName = "router doctor"
        postgres.connectTimeoutMilliseconds = Doctor.questionMilliseconds
        postgres.statementTimeoutMilliseconds = Doctor.questionMilliseconds
        let connection: PostgresConnection
        do {
            let before = Date()
            connection = try PostgresConnection(postgres)
            let row = try connection.query(
                "SELECT current_setting('server_version') AS text, current_setting('server_version_num') AS number"
            ).rows.first
            let milliseconds = Int(Date().timeIntervalSince(before) * 1000)
            findings.ok("postgres.reach", "version \(row?["text"] ?? "?"), answered in \(milliseconds) ms")
            if let number = row?["number"].flatMap({ Int($0) }), number < Self.oldestVersion {
                findings.fault("postgres.version", "version \(number / 10_000) is too old", "use Postgres 14 or later")
            }
        } catch {
            findings.unknown("postgres.reach", "\(error)", ErrorAdvice.advice(for: error))
            return nil
        }
        var isUsable = false
        findings.check("postgres.schema") { isUsable = try schema(connection) }
        findings.check("postgres.writable") { try writable(connection) }
        findings.check("postgres.privileges") { try privileges(connection) }
        findings.check("postgres.clock") { try clock(connection) }
        findings.check("postgres.notify") { try notifications(connection, postgres) }
        guard isUsable else { return nil }
        var known: KnownClients?
        findings.check("clients.list") { known = try clients(connection) }
        if let known { ClientsCheck(known: known, findings: findings).run() }
        return known
    }

    private func schema(_ connection: PostgresConnection) throws -> Bool {
        let state = try DatabaseState.read(connection)
        let database = settings.postgres.database
        if let problem = state.problem(database: database) {
            findings.fault("postgres.schema", problem, "run `router db upgrade`")
        } else if let remark = state.remark(database: database) {
            findings.warning("postgres.schema", remark, "see `router db status`")
        } else {
            findings.ok(
                "postgres.schema", "all \(DatabaseVersions.all.count) versions of the router's tables are there")
        }
        return !state.missingTables.contains("clients") && !state.missingTables.contains("schema_versions")
            && state.missingTables.isDisjoint(with: ["partition_progress", "offset_acceptances"])
    }

    private func writable(_ connection: PostgresConnection) throws {
        let row = try connection.query(
            "SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS read_only"
        ).rows.first
        if row?["standby"] == "t" || row?["read_only"] == "on" {
            findings.fault(
                "postgres.writable", "this server takes no writes\(row?["standby"] == "t" ? ": it is a standby" : "")",
                "let POSTGRES_METADATA_HOST name the primary")
        } else {
            findings.ok("postgres.writable", "the server takes writes")
        }
    }

    private func privileges(_ connection: PostgresConnection) throws {
        let rows = try connection.query(
            """
            SELECT t.name || ' ' || p.name AS lacking
              FROM unnest($1::text[], $2::text[]) AS wanted(t, p),
                   LATERAL (SELECT wanted.t AS name) AS t, LATERAL (SELECT wanted.p AS name) AS p
             WHERE to_regclass('public.' || t.name) IS NOT NULL
               AND NOT has_table_privilege('public.' || t.name, p.name)
            """,
            [
                Self.list(Self.rights.flatMap { right in right.1.map { _ in right.0 } }),
                Self.list(Self.rights.flatMap(\.1)),
            ]
        ).rows
        let lacking = rows.compactMap { $0["lacking"] }
        if lacking.isEmpty {
            findings.ok("postgres.privileges", "the user '\(settings.postgres.user)' may do what `router run` does")
        } else {
            findings.fault(
                "postgres.privileges", "the user '\(settings.postgres.user)' lacks \(Findings.some(lacking))",
                "grant it, see deploy/postgres-grants.sql")
        }
    }

    private static func list(_ words: [String]) -> String { "{" + words.joined(separator: ",") + "}" }

    private func clock(_ connection: PostgresConnection) throws {
        let before = WallClock.milliseconds()
        let row = try connection.query(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms"
        ).rows.first
        let after = WallClock.milliseconds()
        guard let row else { return }
        ClockSkew.report(
            "postgres.clock", theirs: try row.requiredInteger("now_ms"), before: before, after: after, findings)
    }

    /// A connection pooler in transaction mode swallows LISTEN: then routers follow changes late. A round trip shows it.
    private func notifications(_ connection: PostgresConnection, _ postgres: PostgresSettings) throws {
        let listener = try PostgresConnection(postgres)
        let channel = "router_doctor_\(UUID128.random())"
        try listener.listen(channel)
        try connection.execute("SELECT pg_notify($1, '')", [channel])
        let heard = try listener.waitForNotification(timeoutMilliseconds: Self.notificationMilliseconds) != nil
        let triggers = try connection.query(
            """
            SELECT count(*) AS count FROM pg_trigger WHERE tgname IN ('router_clients_notify', 'router_pauses_notify')
               AND tgenabled IN ('O', 'A')
            """
        ).rows.first?["count"].flatMap { Int($0) }
        if !heard {
            findings.fault(
                "postgres.notify", "a notification does not arrive: changes of clients would be followed late",
                "connect to Postgres itself, or through a pooler in session mode")
        } else if triggers != 2 {
            findings.fault(
                "postgres.notify", "a trigger that tells of changes is missing or disabled",
                "run `router db upgrade --reapply-changed`, or ALTER TABLE clients ENABLE TRIGGER ALL")
        } else {
            findings.ok("postgres.notify", "changes of clients and pauses are told at once")
        }
    }

    private static let notificationMilliseconds = 2_000

    private func clients(_ connection: PostgresConnection) throws -> KnownClients {
        var versions: [ClientID: Set<Int>] = [:]
        for row in try connection.query("SELECT client_id, version FROM public.schema_versions").rows {
            guard let id = row["client_id"].flatMap({ ClientID($0) }), let version = row["version"].flatMap({ Int($0) })
            else { continue }
            versions[id, default: []].insert(version)
        }
        let progress = try PartitionProgress.read(
            connection, group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        return KnownClients(
            clients: try ClientRepository(connection).list(), versions: versions, progress: progress,
            pauses: try Pauses.read(connection, group: settings.kafka.groupID, topic: settings.kafka.rawTopic))
    }
}

/// What Postgres itself tells of the clients.
struct ClientsCheck {
    let known: KnownClients
    let findings: Findings

    func run() {
        let counts = Dictionary(grouping: known.clients, by: \.status).mapValues(\.count)
        let words = ClientStatus.allCases.compactMap { status in
            counts[status].map { "\($0.grouped) \(status.rawValue)" }
        }
        let pending = known.clients.filter { $0.status == .pending }
        if known.clients.isEmpty {
            findings.warning(
                "clients.list", "there are no clients: every event becomes a dead letter",
                "router client add --name NAME, then router provision --all")
        } else if !pending.isEmpty {
            findings.warning(
                "clients.list",
                words.joined(separator: ", ") + "; pending: "
                    + Findings.some(pending.map { $0.id.description }, limit: 2),
                "router provision --all")
        } else {
            findings.ok("clients.list", words.joined(separator: ", "))
        }
        let wanted = ([MigrationFiles.base] + MigrationFiles.shipped).map(\.version)
        let behind = known.active.filter { client in
            wanted.contains { !(known.versions[client.id]?.contains($0) ?? false) }
        }
        if behind.isEmpty {
            findings.ok(
                "clients.schema", "every active client has schema version \(wanted.max() ?? 0), the newest")
        } else {
            findings.warning(
                "clients.schema",
                "\(behind.count.grouped) active clients lack a schema version: "
                    + Findings.some(behind.map { $0.id.description }, limit: 2),
                "router migrate status, then router migrate up")
        }
    }
}
