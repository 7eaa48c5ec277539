import PostgresClient
import RouterCore

/// The truth: asks Postgres for many clients in one statement, over a connection that it keeps. Used by one thread.
struct PostgresLevel {
    struct Reading {
        var clients: [ClientID: ClientEntry] = [:]
        /// Postgres' clock before the statement's snapshot, microseconds since 1970, UTC.
        var readAtMicroseconds: Int64
        var problems: [String] = []
    }

    struct Roster {
        /// nil when there are more than asked for.
        var ids: Set<ClientID>?
        /// As in `Reading`.
        var readAtMicroseconds: Int64
    }

    /// Shorter than the general limits: events wait for this answer, and cached entries can bridge the time.
    static let connectTimeoutMilliseconds = 3_000
    static let statementTimeoutMilliseconds = 3_000

    private let settings: PostgresSettings
    private let interrupt: WakeSignal
    private var connection: PostgresConnection?

    init(_ settings: PostgresSettings, interrupt: WakeSignal) {
        var settings = settings
        settings.connectTimeoutMilliseconds = min(settings.connectTimeoutMilliseconds, Self.connectTimeoutMilliseconds)
        settings.statementTimeoutMilliseconds = min(
            settings.statementTimeoutMilliseconds, Self.statementTimeoutMilliseconds)
        self.settings = settings
        self.interrupt = interrupt
    }

    mutating func read(_ ids: [ClientID]) throws(PostgresError) -> Reading {
        try onceMore { level throws(PostgresError) in try level.ask(ids) }
    }

    mutating func readRoster(limit: Int) throws(PostgresError) -> Roster {
        try onceMore { level throws(PostgresError) in try level.askForRoster(limit: limit) }
    }

    private mutating func onceMore<Answer>(
        _ ask: (inout PostgresLevel) throws(PostgresError) -> Answer
    ) throws(PostgresError) -> Answer {
        let isReused = connection?.isOpen ?? false
        do {
            return try ask(&self)
        } catch  where isReused && error.code == .connectionLost {
            // The connection may have been idle for hours and its server restarted: one try on a new one.
            return try ask(&self)
        }
    }

    private mutating func askForRoster(limit: Int) throws(PostgresError) -> Roster {
        let result = try opened().query(ClientRow.rosterStatement, [String(limit + 1)])
        guard let row = result.rows.first else {
            throw PostgresError(.unexpectedResult, "the list of all clients' ids has no row", isRetriable: true)
        }
        let readAt = try row.requiredInteger("read_at_us")
        if try row.requiredInteger("clients") > Int64(limit) { return Roster(ids: nil, readAtMicroseconds: readAt) }
        guard let ids = ClientRow.roster(try row.required("ids")) else {
            throw PostgresError(.unexpectedResult, "the list of all clients' ids has another form", isRetriable: true)
        }
        return Roster(ids: ids, readAtMicroseconds: readAt)
    }

    private mutating func ask(_ ids: [ClientID]) throws(PostgresError) -> Reading {
        let connection = try opened()
        let result = try connection.query(ClientRow.readStatement, [ClientRow.array(ids)])
        guard let first = result.rows.first else {
            throw PostgresError(.unexpectedResult, "the look-up of clients returned no row", isRetriable: true)
        }
        var reading = Reading(readAtMicroseconds: try first.requiredInteger("read_at_us"))
        for row in result.rows {
            guard let id = row["client_id"].flatMap({ ClientID($0) }) else { continue }
            let (entry, problem) = ClientRow.entry(row, id: id)
            reading.clients[id] = entry
            if let problem { reading.problems.append(problem) }
        }
        return reading
    }

    private mutating func opened() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isOpen { return connection }
        let opened = try PostgresConnection(settings, interrupt: interrupt)
        connection = opened
        return opened
    }
}
