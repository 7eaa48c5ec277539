import Dispatch
import Foundation
import Logging
import PostgresClient
import RouterDatabase

/// Follows `router pause` and `router resume`: a thread that listens and reads the table, and tells what is new.
///
/// While Postgres is away what was read last holds.
final class PauseWatcher: Sendable {
    /// How often the table is read without a word from Postgres: bounds how long a lost notification, or a connection
    /// that broke silently, goes unnoticed.
    static let readMilliseconds = 2_000
    private static let statementTimeoutMilliseconds = 3_000
    private static let pauseAfterErrorMilliseconds: Int32 = 1_000

    private let settings: PostgresSettings
    private let group: String
    private let topic: String
    private let log: Logger
    private let stopSignal = WakeSignal()
    private let ended = DispatchSemaphore(value: 0)
    private let deliver: @Sendable (Pauses) -> Void

    init(
        settings: PostgresSettings, group: String, topic: String, log: Logger,
        deliver: @escaping @Sendable (Pauses) -> Void
    ) {
        var settings = settings
        settings.applicationName = "router (pauses)"
        settings.connectTimeoutMilliseconds = Self.statementTimeoutMilliseconds
        settings.statementTimeoutMilliseconds = Self.statementTimeoutMilliseconds
        self.settings = settings
        self.group = group
        self.topic = topic
        self.log = log
        self.deliver = deliver
    }

    func start() {
        let thread = Thread { [self] in
            run()
            ended.signal()
        }
        thread.name = "pauses"
        thread.start()
    }

    func stop() {
        stopSignal.raise()
        _ = ended.wait(timeout: .now() + .seconds(2))
    }

    private func run() {
        while !stopSignal.wait(timeoutMilliseconds: 0) {
            do throws(PostgresError) {
                let connection = try PostgresConnection(settings, interrupt: stopSignal)
                try connection.listen(DatabaseVersions.pausesChannel)
                while true {
                    deliver(try Pauses.read(connection, group: group, topic: topic))
                    _ = try connection.waitForNotification(timeoutMilliseconds: Self.readMilliseconds)
                }
            } catch {
                log.debug("cannot read the pauses, what was read last holds", metadata: ["error": "\(error)"])
                stopSignal.wait(timeoutMilliseconds: Self.pauseAfterErrorMilliseconds)
            }
        }
    }
}
