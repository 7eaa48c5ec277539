import PostgresClient
import RouterTestSupport
import Testing

/// The files of `postgres/sql`, through Postgres' own client.
@Suite(.enabled(if: TestPostgres.isAvailable, "needs Debian's postgresql-15"))
struct SchemaTests {
    static let hash = String(repeating: "aB", count: 32)

    let server: TestPostgres
    let database: String

    init() throws {
        server = try TestPostgres.shared.get()
        database = try server.makeDatabase()
    }

    func add(_ columns: String = "", _ values: String = "") throws {
        try server.psql(
            "INSERT INTO clients (client_name, api_key_hash\(columns)) VALUES ('n', '\(Self.hash)'\(values))",
            database: database)
    }

    @Test func applyingAgainKeepsTheRows() throws {
        try add()
        try server.applySchema(database: database)
        #expect(try server.psql("SELECT count(*) FROM clients", database: database) == "1")
    }

    @Test func aRowHasItsDefaults() throws {
        let id = "0a0b0c0d-0000-4000-8000-00000000000f"
        try add(", client_id", ", '\(id)'")
        #expect(
            try server.psql("SELECT status, ch_database_name, created_at = updated_at FROM clients", database: database)
                == "pending|client_0a0b0c0d_0000_4000_8000_00000000000f|t")
        try server.psql("UPDATE clients SET client_name = 'm'; ", database: database)
        #expect(try server.psql("SELECT updated_at > created_at FROM clients", database: database) == "t")
    }

    @Test(arguments: [
        (", status", ", 'gone'"), (", status", ", NULL"), (", ch_database_name", ", 'a b'"),
        (", ch_database_name", ", 'a`b'"), (", ch_database_name", ", '1a'"), (", ch_database_name", ", ''"),
        (", ch_database_name", ", 'System'"), (", ch_database_name", ", E'a\\n'"),
        (", ch_database_name", ", repeat('a', 64)"), (", previous_api_key_hash", ", repeat('a', 64)"),
        (", previous_api_key_expires_at", ", now()"),
        (", previous_api_key_hash, previous_api_key_expires_at", ", repeat('a', 63), now()"),
    ])
    func wrongValuesAreRefused(columns: String, values: String) {
        #expect(throws: TestServers.Failure.self) { try add(columns, values) }
    }

    @Test func keyHashesAndNamesOfTheWrongFormAreRefused() {
        for (name, hash) in [
            ("' '", "repeat('a', 64)"), ("repeat('n', 201)", "repeat('a', 64)"), ("'n'", "repeat('a', 65)"),
            ("'n'", "repeat('g', 64)"), ("'n'", "E'\\n' || repeat('a', 64)"), ("'n'", "repeat('a', 64) || E'\\n'"),
        ] {
            #expect(throws: TestServers.Failure.self, "\(name) \(hash)") {
                try server.psql(
                    "INSERT INTO clients (client_name, api_key_hash) VALUES (\(name), \(hash))", database: database)
            }
        }
    }

    @Test func twoClientsCannotShareADatabase() throws {
        try add(", ch_database_name", ", 'shared'")
        #expect(throws: TestServers.Failure.self) { try add(", ch_database_name", ", 'shared'") }
    }

    @Test func everyChangeIsAnnounced() throws {
        let connection = try PostgresConnection(
            PostgresSettings(
                host: "127.0.0.1", port: server.port, database: database, user: server.user, password: server.password))
        try connection.listen("router_clients")
        func next() throws -> String? { try connection.waitForNotification(timeoutMilliseconds: 20_000)?.payload }
        let (one, two) = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
        try add(", client_id", ", '\(one)'")
        #expect(try next() == one)
        try server.psql("UPDATE clients SET status = 'active'", database: database)
        #expect(try next() == one)
        try server.psql("UPDATE clients SET client_id = '\(two)'", database: database)
        #expect(try [next(), next()] == [one, two])
        try server.psql("DELETE FROM clients", database: database)
        #expect(try next() == two)
        try server.psql("TRUNCATE clients CASCADE", database: database)
        #expect(try next() == "*")
    }
}
