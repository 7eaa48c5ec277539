import PostgresClient

/// Which of the program's versions a database has.
public struct DatabaseState: Sendable {
    public struct Applied: Sendable, Equatable {
        public var version: Int
        public var name: String
        public var checksum: String
        /// RFC 3339, UTC.
        public var appliedAt: String
    }

    public enum Standing: String, Sendable, Codable {
        /// Written down, with the content that this program carries.
        case applied
        /// Not written down, and its tables are there: somebody applied the file by hand.
        case appliedByHand = "applied_by_hand"
        /// Written down with another content than this program carries.
        case changed
        /// Its tables are missing.
        case missing
    }

    /// What `router_schema` says, in the order of versions; empty where nothing was written down.
    public var applied: [Applied]
    /// Tables of `public` that the program needs and that are not there.
    public var missingTables: Set<String>

    public init(applied: [Applied], missingTables: Set<String>) {
        self.applied = applied
        self.missingTables = missingTables
    }

    /// What there is is asked by name: an empty database is an answer and no error.
    public static func read(_ connection: PostgresConnection) throws(PostgresError) -> DatabaseState {
        let tables = DatabaseVersions.all.flatMap(\.tables)
        let found = try connection.query(
            "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('public.' || quote_ident(name)) IS NULL",
            ["{" + tables.joined(separator: ",") + "}"])
        let missing = Set(found.rows.compactMap { $0["name"] })
        var applied: [Applied] = []
        if !missing.contains("router_schema"), try mayRead(connection) {
            let rows = try connection.query(
                """
                SELECT version, name, checksum,
                       to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS applied_at
                  FROM public.router_schema ORDER BY version
                """
            ).rows
            for row in rows {
                applied.append(
                    Applied(
                        version: Int(try row.requiredInteger("version")), name: try row.required("name"),
                        checksum: try row.required("checksum"), appliedAt: try row.required("applied_at")))
            }
        }
        return DatabaseState(applied: applied, missingTables: missing)
    }

    /// A role that may not read the table (an older grant) is no reason to stop: the tables themselves tell.
    private static func mayRead(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        let answer = try connection.query("SELECT has_table_privilege('public.router_schema', 'SELECT') AS may")
        return answer.rows.first?["may"] == "t"
    }

    public func standing(of version: DatabaseVersion) -> Standing {
        if version.tables.contains(where: missingTables.contains) { return .missing }
        guard let found = applied.first(where: { $0.version == version.version }) else {
            // A file that makes no table shows only where files are written down at all.
            return version.tables.isEmpty && !applied.isEmpty ? .missing : .appliedByHand
        }
        return found.checksum == version.checksum ? .applied : .changed
    }

    /// What this program needs and the database lacks.
    public var missing: [DatabaseVersion] { DatabaseVersions.all.filter { standing(of: $0) == .missing } }

    /// What is there with another content.
    public var changed: [DatabaseVersion] { DatabaseVersions.all.filter { standing(of: $0) == .changed } }

    /// What a newer program has written down and this one does not know.
    public var unknown: [Applied] {
        let known = Set(DatabaseVersions.all.map(\.version))
        return applied.filter { !known.contains($0.version) }
    }

    public var isEmpty: Bool { missingTables.contains("clients") }

    /// Why this program cannot work with the database, and what to do; nil when it can.
    public func problem(database: String) -> String? {
        guard let first = missing.first else { return nil }
        let names = missing.map(\.fileName).joined(separator: ", ")
        return isEmpty
            ? "Postgres database '\(database)' has no table 'clients', so it is not a router's: make its tables with "
                + "`router db upgrade`"
            : "Postgres database '\(database)' is older than this program: it lacks \(names) (first missing table: "
                + "\(first.tables.first(where: missingTables.contains) ?? "none")); bring it up to date with "
                + "`router db upgrade`"
    }

    /// What a person should know though the program works; nil when there is nothing.
    public func remark(database: String) -> String? {
        if let newest = unknown.last {
            return "Postgres database '\(database)' was upgraded by a newer program (version \(newest.version), "
                + "\(newest.name)), this one knows versions up to \(DatabaseVersions.all.last?.version ?? 0): "
                + "upgrade this program"
        }
        if let first = changed.first {
            return "version \(first.version) (\(first.fileName)) of Postgres database '\(database)' was applied with "
                + "another content than this program carries: see `router db status`"
        }
        return nil
    }
}
