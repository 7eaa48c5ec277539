import RouterCore

/// One version of a client's schema: a file of `clickhouse/`.
struct SchemaVersion: Sendable, Equatable {
    /// From 1, which is the base schema; one file a number.
    var version: Int
    var name: String
    /// With `{database}` where the client's database goes.
    var text: String
    /// True for a file of one client alone (`clients/<client_id>/`).
    var isOwn = false

    /// SHA-256 of the file, as `schema_versions` keeps it.
    var checksum: String { KeyHash.sha256(of: text).hex }

    var fileName: String { version == 1 ? "01_\(name).sql" : "v\(version)_\(name).sql" }

    /// The statements as ClickHouse takes them, for one client's database.
    ///
    /// - Parameter cluster: where the database was made; nil is one server.
    func statements(database: String, cluster: String? = nil) throws -> [SchemaStatement] {
        let parsed: [SchemaFile.Statement]
        let written: [SchemaFile.Statement]
        do throws(SchemaFileError) {
            parsed = try SchemaFile(text, placeholders: ["database": Identifier.quoted(database)]).statements
            // The same for every client: what its checksum is taken of.
            written = try SchemaFile(text, placeholders: ["database": "{database}"]).statements
        } catch {
            throw OperationError("migration_invalid", "\(fileName), \(error)")
        }
        return try zip(parsed, written).enumerated().map { index, pair in
            do {
                return try SchemaStatement(
                    number: index + 1, line: pair.0.line, sql: pair.0.sql,
                    checksum: KeyHash.sha256(of: pair.1.sql).hex, cluster: cluster)
            } catch let error as ClusterSQLError {
                throw OperationError("migration_invalid", "\(fileName), line \(pair.0.line): \(error)")
            }
        }
    }
}
