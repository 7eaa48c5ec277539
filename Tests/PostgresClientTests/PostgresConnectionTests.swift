import Foundation
import PostgresClient
import RouterTestSupport
import Testing

@Suite(.enabled(if: TestPostgres.isAvailable, "needs Debian's postgresql-15"))
struct PostgresConnectionTests {
    let server: TestPostgres
    let database: String

    init() throws {
        server = try TestPostgres.shared.get()
        database = try server.makeDatabase()
    }

    func settings(_ change: (inout PostgresSettings) -> Void = { _ in }) -> PostgresSettings {
        var settings = PostgresSettings(
            host: "127.0.0.1", port: server.port, database: database, user: server.user, password: server.password)
        change(&settings)
        return settings
    }

    func code(_ body: () throws -> Void) -> PostgresError.Code? {
        do { try body() } catch { return (error as? PostgresError)?.code }
        return nil
    }

    @Test func valuesAndNullsComeBackByName() throws {
        let connection = try PostgresConnection(settings())
        let result = try connection.query(
            "SELECT $1::text AS a, $2::text AS \"B\", $3::int + 1 AS c", ["é'\\\"; DROP", nil, "41"])
        #expect(result.columns == ["a", "B", "c"])
        #expect(result.rows[0]["a"] == "é'\\\"; DROP")
        #expect(result.rows[0]["B"] == nil)
        #expect(try result.rows[0].requiredInteger("c") == 42)
        #expect(code { _ = try result.rows[0].required("B") } == .unexpectedResult)
        #expect(code { _ = try result.rows[0].required("nowhere") } == .unexpectedResult)
    }

    @Test func affectedRowsAndTransactions() throws {
        let connection = try PostgresConnection(settings())
        try connection.executeScript("CREATE TABLE t (n int); INSERT INTO t VALUES (0)")
        #expect(try connection.execute("INSERT INTO t SELECT generate_series(1, 3)") == 3)
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try connection.transaction {
                try $0.execute("DELETE FROM t")
                throw Stop()
            }
        }
        try connection.transaction { _ = try $0.execute("UPDATE t SET n = n + 10") }
        #expect(try server.psql("SELECT count(*), sum(n) FROM t", database: database) == "4|46")
    }

    @Test func serverErrorsAreNamedAndKeepTheConnection() throws {
        let connection = try PostgresConnection(settings())
        try connection.execute("CREATE TABLE t (n int CONSTRAINT only_once UNIQUE)")
        try connection.execute("INSERT INTO t VALUES (1)")
        let error = #expect(throws: PostgresError.self) { try connection.execute("INSERT INTO t VALUES (1)") }
        #expect(error?.code == .uniqueViolation)
        #expect(error?.constraint == "only_once")
        #expect(error?.sqlState == "23505")
        #expect(error?.isRetriable == false)
        let syntax = #expect(throws: PostgresError.self) { try connection.query("SELEC") }
        #expect(syntax?.sqlState == "42601")
        #expect(code { try connection.query("SELECT $1::text", ["a\0b"]) } == .statementFailed)
        #expect(try connection.query("SELECT 7 AS n").rows[0]["n"] == "7")
    }

    @Test func whatCannotBeReachedSaysSoWithoutThePassword() throws {
        let nobody = try TestServers.freePort()
        let refused = #expect(throws: PostgresError.self) { _ = try PostgresConnection(settings { $0.port = nobody }) }
        #expect(refused?.code == .unreachable)
        #expect(refused?.isRetriable == true)
        #expect(refused?.description.contains(":\(nobody)") == true)
        for change: (inout PostgresSettings) -> Void in [
            { $0.password = "secret-and-wrong" }, { $0.database = "no_such_database" }, { $0.user = "nobody" },
        ] {
            let denied = #expect(throws: PostgresError.self) { _ = try PostgresConnection(settings(change)) }
            #expect(denied?.code == .accessDenied)
            #expect(denied?.description.contains("secret-and-wrong") == false)
            #expect(denied?.description.contains(server.password) == false)
        }
    }

    @Test func aSlowStatementIsEndedByTheServer() throws {
        let connection = try PostgresConnection(settings { $0.statementTimeoutMilliseconds = 50 })
        let error = #expect(throws: PostgresError.self) { try connection.query("SELECT pg_sleep(60)") }
        #expect(error?.sqlState == "57014")
        #expect(error?.isRetriable == true)
        #expect(connection.isOpen)
    }

    @Test func aBackendThatIsEndedIsALostConnection() throws {
        let connection = try PostgresConnection(settings { $0.applicationName = "to be ended" })
        try server.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'to be ended'",
            database: database)
        let error = #expect(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(error?.isRetriable == true)
        #expect(!connection.isOpen)
        #expect(code { try connection.query("SELECT 1") } == .connectionLost)
    }

    @Test func notificationsOfAnotherSessionArrive() throws {
        let connection = try PostgresConnection(settings())
        try connection.listen("router_clients")
        #expect(try connection.waitForNotification(timeoutMilliseconds: 1) == nil)
        try server.psql(
            "NOTIFY router_clients, 'one'; NOTIFY other, 'x'; NOTIFY router_clients, 'two'", database: database)
        #expect(try connection.waitForNotification(timeoutMilliseconds: 20_000)?.payload == "one")
        #expect(try connection.waitForNotification(timeoutMilliseconds: 20_000)?.payload == "two")
        #expect(try connection.waitForNotification(timeoutMilliseconds: 1) == nil)
        try connection.ping()
    }

    @Test func aSignalEndsAWaitFromAnotherThread() throws {
        let signal = WakeSignal()
        let connection = try PostgresConnection(settings(), interrupt: signal)
        Thread.detachNewThread { signal.raise() }
        #expect(code { _ = try connection.waitForNotification(timeoutMilliseconds: 60_000) } == .interrupted)
        #expect(!connection.isOpen)
        #expect(code { _ = try PostgresConnection(settings(), interrupt: signal) } == .interrupted)
        signal.clear()
        #expect(code { _ = try PostgresConnection(settings(), interrupt: signal) } == nil)
    }

    @Test func anEmptyHostNameIsAnErrorAndNoCrash() {
        #expect(code { _ = try PostgresConnection(settings { $0.host = "no-such-host.invalid" }) } == .unreachable)
        #expect(code { _ = try PostgresConnection(settings { $0.port = 0 }) } != nil)
    }
}

/// Nobody else may use a server that is frozen.
@Suite(.enabled(if: TestPostgres.isAvailable, "needs Debian's postgresql-15"))
struct FrozenPostgresTests {
    @Test func aFrozenServerIsAnErrorInTime() throws {
        let server = try TestPostgres()
        defer { server.kill() }
        var settings = PostgresSettings(
            host: "127.0.0.1", port: server.port, database: "postgres", user: server.user, password: server.password)
        settings.statementTimeoutMilliseconds = 100
        settings.connectTimeoutMilliseconds = 300
        let connection = try PostgresConnection(settings)
        server.freeze()
        let statement = #expect(throws: PostgresError.self) { try connection.query("SELECT 1") }
        #expect(statement?.code == .timedOut)
        let connect = #expect(throws: PostgresError.self) { _ = try PostgresConnection(settings) }
        #expect(connect?.code == .unreachable)
        server.thaw()
        settings.connectTimeoutMilliseconds = 20_000
        #expect(try PostgresConnection(settings).query("SELECT 1 AS n").rows[0]["n"] == "1")
    }
}
