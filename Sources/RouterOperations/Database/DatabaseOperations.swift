import Foundation
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterDatabase

/// The router's own tables in Postgres: which version they are, and how they get to this program's.
public struct DatabaseOperations {
    /// An index on a large table takes minutes; a person waits and sees the name of the file.
    static let statementTimeoutMilliseconds = 600_000
    /// Another upgrade takes seconds as a rule. Beyond this a person should look.
    static let lockTimeoutSeconds = 60.0
    private static let lockPauseSeconds = 0.25

    private let settings: PostgresSettings

    public init(settings: Settings) {
        var postgres = settings.postgresSettings
        postgres.applicationName = "router db"
        self.settings = postgres
    }

    public func status() throws -> DatabaseReport {
        let connection = try PostgresConnection(settings)
        return DatabaseReport(try DatabaseState.read(connection), database: settings.database)
    }

    /// Applies what is missing, in order, and writes it down. Safe to repeat, and to run twice at once.
    ///
    /// Every file is a transaction of its own and safe to apply again, so that a run that broke off goes on where it was.
    /// - Parameter reapplyChanged: files whose content differs from what was written down are applied again.
    public func upgrade(reapplyChanged: Bool, progress: (String) -> Void) throws -> DatabaseReport {
        var settings = settings
        settings.statementTimeoutMilliseconds = Self.statementTimeoutMilliseconds
        let connection = try PostgresConnection(settings)
        try lock(connection, progress)
        let state = try DatabaseState.read(connection)
        if let changed = state.changed.first, !reapplyChanged {
            throw OperationError(
                "schema_changed",
                "\(changed.fileName) was applied to the database '\(settings.database)' with another content than this "
                    + "program carries; see which build applied it (`router db status`). To apply this program's file "
                    + "again, which leaves rows alone: router db upgrade --reapply-changed")
        }
        if state.missingTables.contains("router_schema") { try run(DatabaseVersions.record, connection) }
        var applied: [Int] = []
        for version in DatabaseVersions.all where state.standing(of: version) != .applied {
            progress("db: \(version.fileName)")
            try run(version, connection)
            try connection.execute(
                """
                INSERT INTO public.router_schema (version, name, checksum) VALUES ($1::int, $2, $3)
                ON CONFLICT (version) DO UPDATE
                SET name = excluded.name, checksum = excluded.checksum, applied_at = now()
                """, [String(version.version), version.name, version.checksum])
            applied.append(version.version)
        }
        var report = DatabaseReport(try DatabaseState.read(connection), database: settings.database)
        report.applied = applied
        return report
    }

    /// The same lock that each file takes, held by the session until it ends: applying by hand waits, too.
    private func lock(_ connection: PostgresConnection, _ progress: (String) -> Void) throws {
        let deadline = Date(timeIntervalSinceNow: Self.lockTimeoutSeconds)
        while true {
            let answer = try connection.query("SELECT pg_try_advisory_lock(hashtext('router schema')) AS is_ours")
            if answer.rows.first?["is_ours"] == "t" { return }
            guard Date() < deadline else {
                throw OperationError(
                    "schema_locked",
                    "another process has been changing the tables of '\(settings.database)' for more than "
                        + "\(Int(Self.lockTimeoutSeconds)) seconds; nothing was done. See which one (pg_locks, locktype "
                        + "advisory), and run the command again when it has ended",
                    isRetriable: true)
            }
            progress("db: waiting for another upgrade")
            Thread.sleep(forTimeInterval: Self.lockPauseSeconds)
        }
    }

    private func run(_ version: DatabaseVersion, _ connection: PostgresConnection) throws {
        do {
            try connection.executeScript(version.text)
        } catch {
            // The file's own transaction stands open and aborted.
            _ = try? connection.execute("ROLLBACK")
            let advice =
                error.sqlState == "42501"
                ? "; run it as the owner of the tables (POSTGRES_METADATA_USER), see deploy/postgres-grants.sql" : ""
            throw OperationError(
                "schema_failed", "\(version.fileName) was not applied, what came before it was: \(error)\(advice)",
                isRetriable: error.isRetriable)
        }
    }
}
