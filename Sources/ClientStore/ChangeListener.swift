import PostgresClient
import RouterCore

/// The thread that listens: tells which client changed, and whether it would hear of a change at all.
struct ChangeListener {
    /// How often the server is asked whether it is still there: its answer also shows that every notification before it
    /// has come. A quarter of `ClientDirectory.Limits.refusalMilliseconds`, so that a late one holds up nobody; and
    /// four empty statements a second are nothing to Postgres.
    static let heartbeatMilliseconds: Int64 = 250

    private let shared: SourceShared
    private let settings: PostgresSettings

    init(_ shared: SourceShared, _ settings: PostgresSettings) {
        self.shared = shared
        var settings = settings
        settings.applicationName += " (listen)"
        settings.connectTimeoutMilliseconds = min(
            settings.connectTimeoutMilliseconds, PostgresLevel.connectTimeoutMilliseconds)
        settings.statementTimeoutMilliseconds = min(
            settings.statementTimeoutMilliseconds, PostgresLevel.statementTimeoutMilliseconds)
        self.settings = settings
    }

    func run() {
        var backoff = Backoff()
        while !shared.isStopped {
            var wasListening = false
            do throws(PostgresError) {
                let connection = try PostgresConnection(settings, interrupt: shared.stop)
                try connection.listen(ClientSource.channel)
                wasListening = true
                backoff.succeeded()
                shared.tellListening(true, error: nil)
                try hear(connection)
            } catch {
                if wasListening {
                    shared.tellListening(false, error: error.description)
                } else {
                    shared.status.withLock { $0.listenError = error.description }
                }
            }
            let now = monotonicMilliseconds()
            backoff.failed(nowMilliseconds: now)
            shared.stop.wait(timeoutMilliseconds: Int32(clamping: backoff.dueAtMilliseconds - now))
        }
    }

    /// Returns only by throwing: the connection broke, or the source was stopped.
    private func hear(_ connection: PostgresConnection) throws(PostgresError) {
        while true {
            // Every change committed before this moment comes before the answer to the ping.
            let askedAt = monotonicMilliseconds()
            try connection.ping()
            while let notification = try connection.waitForNotification(timeoutMilliseconds: 0) { tell(notification) }
            shared.tellHeard(atMilliseconds: askedAt)
            let due = askedAt + Self.heartbeatMilliseconds
            while true {
                let wait = Int(max(0, due - monotonicMilliseconds()))
                guard wait > 0, let notification = try connection.waitForNotification(timeoutMilliseconds: wait)
                else { break }
                tell(notification)
            }
        }
    }

    private func tell(_ notification: PostgresNotification) {
        // Anything else than an id (the trigger sends "*" for TRUNCATE) may mean anything.
        if let id = ClientID(notification.payload) {
            shared.tellChanged(id)
        } else {
            shared.tellChangedAll()
        }
    }
}
