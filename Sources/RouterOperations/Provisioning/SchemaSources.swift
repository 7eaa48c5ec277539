import RouterCore

/// One version of a client's schema: a file of `clickhouse/`, carried inside of the program so that it works from any
/// folder.
struct SchemaVersion: Sendable {
    var version: Int
    var name: String
    /// With `{database}` where the client's database goes.
    var text: String

    /// SHA-256 of the file, as `schema_versions` keeps it.
    var checksum: String { KeyHash.sha256(of: text).hex }

    func statements(database: String) throws(SchemaFileError) -> [SchemaFile.Statement] {
        try SchemaFile(text, placeholders: ["database": Identifier.quoted(database)]).statements
    }
}

enum SchemaSources {
    /// Every version in its order. `clickhouse/migrations/` continues the numbers from 2.
    static let all = [
        SchemaVersion(
            version: 1, name: "events_base",
            text: String(decoding: PackageResources._1_events_base_sql, as: UTF8.self))
    ]
}
