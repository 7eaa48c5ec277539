/// Where Postgres is, who we are there, and how long anything may take.
public struct PostgresSettings: Sendable {
    /// How the connection is protected; the raw values are libpq's own.
    public enum SSLMode: String, Sendable, CaseIterable {
        case disable
        case allow
        case prefer
        case require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    public var host: String
    public var port: Int
    public var database: String
    public var user: String
    /// Never part of an error or a log line. nil leaves it to libpq (`PGPASSWORD`, `~/.pgpass`).
    public var password: String?
    public var sslMode: SSLMode
    /// Shown in `pg_stat_activity`, so that an operator sees whose connection it is.
    public var applicationName: String
    /// For everything from the first packet to a connection that can be used.
    public var connectTimeoutMilliseconds: Int
    /// For one statement. The server ends it at this time (`statement_timeout`); a server that does not answer at
    /// all is given up half a second later.
    public var statementTimeoutMilliseconds: Int

    public init(
        host: String, port: Int, database: String, user: String, password: String? = nil, sslMode: SSLMode = .prefer,
        applicationName: String = "router", connectTimeoutMilliseconds: Int = 5_000,
        statementTimeoutMilliseconds: Int = 10_000
    ) {
        self.host = host
        self.port = port
        self.database = database
        self.user = user
        self.password = password
        self.sslMode = sslMode
        self.applicationName = applicationName
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.statementTimeoutMilliseconds = statementTimeoutMilliseconds
    }

    /// What libpq's `PQconnectStartParams` is given. A change of a row is announced over an idle connection, so a
    /// dead peer must be found without traffic: keepalives after 10 s, three of them 5 s apart.
    var connectionParameters: [(String, String)] {
        var parameters = [
            ("host", host), ("port", String(port)), ("dbname", database), ("user", user),
            ("sslmode", sslMode.rawValue), ("application_name", applicationName), ("client_encoding", "UTF8"),
            ("gssencmode", "disable"), ("keepalives", "1"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
            ("keepalives_count", "3"), ("tcp_user_timeout", "25000"),
        ]
        if let password { parameters.append(("password", password)) }
        return parameters
    }

    /// For messages: names the server, never the password.
    var place: String { "Postgres at \(host):\(port), database \(database)" }
}
