import PostgresClient
import RouterCore

/// The thread that listens: tells which client changed, and whether it would hear of a change at all.
struct ChangeListener {
    /// After so long without a word the server is asked whether it is still there: what bounds the time for which a
    /// connection that broke silently passes for a quiet one.
    static let quietLimitMilliseconds = 2_000

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
            let limit = Self.quietLimitMilliseconds
            guard let notification = try connection.waitForNotification(timeoutMilliseconds: limit) else {
                try connection.ping()
                continue
            }
            // Anything else than an id (the trigger sends "*" for TRUNCATE) may mean anything.
            if let id = ClientID(notification.payload) {
                shared.tellChanged(id)
            } else {
                shared.tellChangedAll()
            }
        }
    }
}
