import CLibpq
import Glibc

/// One connection to Postgres: the owner of one `PGconn`. It is used from one thread and is not `Sendable`.
///
/// Every wait is a `poll(2)` with a deadline: a server that is frozen, or a network that swallows packets, is an
/// error after the stated time and never a thread that hangs. Raising `interrupt` ends a wait from another thread.
/// After an error that says `connectionLost`, `timedOut` or `interrupted` the connection is closed for good:
/// make a new one.
public final class PostgresConnection {
    /// A little more than the server's own limit, so that the server's clearer error comes first.
    static let graceMilliseconds = 500
    /// The longest answer to "are you there", far beyond any answer that is not a fault.
    static let pingTimeoutMilliseconds = 3_000

    public let settings: PostgresSettings
    private let interrupt: WakeSignal?
    /// nil once closed.
    private var connection: OpaquePointer?

    public init(_ settings: PostgresSettings, interrupt: WakeSignal? = nil) throws(PostgresError) {
        self.settings = settings
        self.interrupt = interrupt
        connection = Self.start(settings)
        try finishConnecting()
        // Not by startup packet: connection poolers refuse parameters there that they do not know.
        let milliseconds = max(1, settings.statementTimeoutMilliseconds)
        try query("SELECT set_config('statement_timeout', $1, false)", [String(milliseconds)])
    }

    deinit {
        close()
    }

    public var isOpen: Bool { connection != nil }

    public func close() {
        if let connection { PQfinish(connection) }
        connection = nil
    }

    /// Runs one statement with `$1`, `$2` … taken from `parameters` in their text form (nil is NULL).
    @discardableResult
    public func query(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> PostgresResult {
        guard !parameters.contains(where: { $0?.utf8.contains(0) ?? false }) else {
            // C would end the text there and write half of it.
            throw PostgresError(.statementFailed, "Postgres text cannot hold a zero byte", isRetriable: false)
        }
        let limit = settings.statementTimeoutMilliseconds + Self.graceMilliseconds
        let handle = try run(timeoutMilliseconds: limit) { connection in
            withCStrings(parameters) { values in
                PQsendQueryParams(connection, sql, Int32(clamping: parameters.count), nil, values, nil, nil, 0)
            }
        }
        return PostgresResult(copying: handle)
    }

    /// Runs one statement and returns how many rows it touched.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> Int {
        try query(sql, parameters).affectedRows
    }

    /// Runs a file of several statements. Without its own `BEGIN` the server runs it as one transaction.
    public func executeScript(_ sql: String) throws(PostgresError) {
        let limit = settings.statementTimeoutMilliseconds + Self.graceMilliseconds
        _ = try run(timeoutMilliseconds: limit) { PQsendQuery($0, sql) }
    }

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws.
    public func transaction<Value>(_ body: (PostgresConnection) throws -> Value) throws -> Value {
        try execute("BEGIN")
        do {
            let value = try body(self)
            try execute("COMMIT")
            return value
        } catch {
            // A rollback that fails leaves a transaction open that nobody may go on with.
            if (try? execute("ROLLBACK")) == nil { close() }
            throw error
        }
    }

    /// A round trip that shows that the server still answers.
    public func ping() throws(PostgresError) {
        _ = try run(timeoutMilliseconds: Self.pingTimeoutMilliseconds) { PQsendQuery($0, "SELECT 1") }
    }

    /// Subscribes to a channel; its notifications come from `waitForNotification`.
    public func listen(_ channel: String) throws(PostgresError) {
        let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        try execute("LISTEN \"\(quoted)\"")
    }

    /// The next notification of the channels listened to, or nil when none came in time.
    public func waitForNotification(timeoutMilliseconds: Int) throws(PostgresError) -> PostgresNotification? {
        let deadline = Deadline(inMilliseconds: timeoutMilliseconds)
        while true {
            let connection = try opened()
            if let notification = PostgresNotification(next: connection) { return notification }
            switch WakeSignal.wait(
                socket: PQsocket(connection), events: POLLIN, interrupt: interrupt, until: deadline)
            {
            case .ready: break
            case .timedOut: return nil
            case .interrupted: throw closed(.interrupted, "the wait for a notification was ended")
            }
            // PQconsumeInput: "returns 1 normally ... or 0 if there was some kind of trouble".
            guard PQconsumeInput(connection) == 1 else { throw lost(connection) }
        }
    }

    // MARK: - Connecting

    private static func start(_ settings: PostgresSettings) -> OpaquePointer? {
        let parameters = settings.connectionParameters
        let connection = withCStrings(parameters.map(\.0) + [nil]) { keywords in
            withCStrings(parameters.map(\.1) + [nil]) { values in
                // expand_dbname 0: a database name with "=" in it is a name and not a connection string.
                PQconnectStartParams(keywords, values, 0)
            }
        }
        // libpq's default prints the server's notices to standard error, where our log lines go.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        return connection
    }

    private func finishConnecting() throws(PostgresError) {
        guard let connection else {
            throw PostgresError(.unreachable, "\(settings.place): out of memory", isRetriable: true)
        }
        let deadline = Deadline(inMilliseconds: settings.connectTimeoutMilliseconds)
        // The manual of PQconnectPoll: "behave as if it had returned PGRES_POLLING_WRITING" before the first call,
        // and the socket may be another one after each call.
        var state = PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            guard state != PGRES_POLLING_FAILED else { throw refused(connection) }
            let events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT
            switch WakeSignal.wait(
                socket: PQsocket(connection), events: events, interrupt: interrupt, until: deadline)
            {
            case .ready: state = PQconnectPoll(connection)
            case .interrupted: throw closed(.interrupted, "connecting was ended")
            case .timedOut:
                throw closed(
                    .unreachable, "no connection within \(settings.connectTimeoutMilliseconds) ms; is the server up?")
            }
        }
        // Sends must not block either: a frozen server does not empty its socket.
        guard PQsetnonblocking(connection, 1) == 0 else { throw lost(connection) }
    }

    /// The text of libpq tells which it was; there is no SQLSTATE for a connection that was never made.
    private func refused(_ connection: OpaquePointer) -> PostgresError {
        let text = PostgresError.oneLine(PQerrorMessage(connection))
        let denied = ["authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry"]
        let isDenied = denied.contains { text.contains($0) } && !text.contains(".s.PGSQL")
        return closed(isDenied ? .accessDenied : .unreachable, text)
    }

    // MARK: - Statements

    /// Sends, waits for the whole answer, and returns its last result (a script has several).
    private func run(
        timeoutMilliseconds: Int, _ send: (OpaquePointer) -> Int32
    ) throws(PostgresError) -> ResultHandle {
        let connection = try opened()
        let deadline = Deadline(inMilliseconds: timeoutMilliseconds)
        guard send(connection) == 1 else { throw lost(connection) }
        try flush(connection, until: deadline)
        // The manual of PQgetResult: it "must be called repeatedly until it returns a null pointer".
        var last: OpaquePointer?
        var failed: OpaquePointer?
        defer {
            if let last { PQclear(last) }
            if let failed { PQclear(failed) }
        }
        while let result = try nextResult(connection, until: deadline) {
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                if let last { PQclear(last) }
                last = result
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                PQclear(result)
                throw closed(.unexpectedResult, "COPY is not supported on this connection")
            default:
                if failed == nil { failed = result } else { PQclear(result) }
            }
        }
        if let pointer = failed {
            failed = nil
            throw serverError(ResultHandle(owning: pointer), connection)
        }
        guard let pointer = last else { throw lost(connection) }
        last = nil
        return ResultHandle(owning: pointer)
    }

    private func flush(_ connection: OpaquePointer, until deadline: Deadline) throws(PostgresError) {
        // PQflush: 0 all sent, 1 more to send, -1 failed. The manual asks to read as well while sending, or both
        // sides may wait for each other.
        while true {
            let state = PQflush(connection)
            if state == 0 { return }
            guard state == 1 else { throw lost(connection) }
            try awaitSocket(connection, events: POLLIN | POLLOUT, until: deadline)
            guard PQconsumeInput(connection) == 1 else { throw lost(connection) }
        }
    }

    private func nextResult(
        _ connection: OpaquePointer, until deadline: Deadline
    ) throws(PostgresError) -> OpaquePointer? {
        while PQisBusy(connection) == 1 {
            try awaitSocket(connection, events: POLLIN, until: deadline)
            guard PQconsumeInput(connection) == 1 else { throw lost(connection) }
        }
        return PQgetResult(connection)
    }

    private func awaitSocket(
        _ connection: OpaquePointer, events: Int32, until deadline: Deadline
    ) throws(PostgresError) {
        switch WakeSignal.wait(socket: PQsocket(connection), events: events, interrupt: interrupt, until: deadline) {
        case .ready: return
        case .interrupted: throw closed(.interrupted, "the statement was given up")
        case .timedOut: throw closed(.timedOut, "no answer in time; whether the statement took effect is not known")
        }
    }

    // MARK: - Errors

    private func opened() throws(PostgresError) -> OpaquePointer {
        guard let connection else {
            throw PostgresError(
                .connectionLost, "\(settings.place): the connection was closed before", isRetriable: true)
        }
        return connection
    }

    private func lost(_ connection: OpaquePointer) -> PostgresError {
        closed(.connectionLost, PostgresError.oneLine(PQerrorMessage(connection)))
    }

    private func closed(_ code: PostgresError.Code, _ text: String) -> PostgresError {
        close()
        return PostgresError(code, "\(settings.place): \(text)", isRetriable: code != .unexpectedResult)
    }

    private func serverError(_ result: borrowing ResultHandle, _ connection: OpaquePointer) -> PostgresError {
        guard let state = result.field(Int32(UInt8(ascii: "C"))) else {
            // Without a SQLSTATE it was libpq that failed: the connection broke in the middle.
            return lost(connection)
        }
        let text = result.field(Int32(UInt8(ascii: "M"))) ?? "no message"
        // The message and not the detail: details quote values of rows, and a row of clients holds a key's hash.
        let code: PostgresError.Code = state == "23505" ? .uniqueViolation : .statementFailed
        let error = PostgresError(
            code, "\(settings.place): \(text)", sqlState: state, constraint: result.field(Int32(UInt8(ascii: "n"))),
            isRetriable: PostgresError.isRetriable(sqlState: state))
        if PQstatus(connection) == CONNECTION_BAD { close() }
        return error
    }
}

/// What a `NOTIFY` of another session said.
public struct PostgresNotification: Sendable, Equatable {
    public let channel: String
    public let payload: String

    init?(next connection: OpaquePointer) {
        guard let notification = PQnotifies(connection) else { return nil }
        // PQnotifies: "the caller must free it using PQfreemem"; the names are in the same allocation.
        defer { PQfreemem(notification) }
        channel = String(cString: notification.pointee.relname)
        payload = String(cString: notification.pointee.extra)
    }
}

/// Passes strings to C as an array of zero-terminated ones that live as long as the call.
private func withCStrings<Value>(
    _ strings: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
) -> Value {
    let copies = strings.map { string in string.flatMap { strdup($0) } }
    defer { for copy in copies { free(copy) } }
    // Swift passes an array of any length, also an empty one, as a pointer that is valid during the call.
    return body(copies.map { UnsafePointer<CChar>($0) })
}
