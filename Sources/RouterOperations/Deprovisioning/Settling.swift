import ClientStore
import Logging
import RouterCore

/// Waiting until what running routers had accepted of some clients is in their tables.
struct Settling {
    /// Without a new row and an insert under way for so long, nothing more is on its way: a batch is sealed after a second by
    /// default and inserted at once.
    static let quietMilliseconds = 2_500
    /// However: rows that come later are refused, and become dead letters. A person is waiting.
    static let limitMilliseconds = 30_000
    /// For inserts that had begun when the table was taken away: the server ends them after a minute.
    static let runningLimitMilliseconds = 120_000
    private static let pollMilliseconds = 250

    let warehouse: Warehouse
    let log: Logger

    /// - Parameter routers: how many there are to wait for. A router that cannot be seen in Postgres is one that cannot ask it
    ///   either; what it still sends meets the sealed table.
    func wait(for clients: [ClientRecord], routers: Int) async throws {
        let activity = WarehouseActivity(warehouse: warehouse)
        let started = ContinuousClock.now
        var rows = try await activity.rows(clients.map(\.databaseName))
        var quietSince = started
        let quiet = Duration.milliseconds(routers > 0 ? Self.quietMilliseconds : Self.pollMilliseconds)
        while ContinuousClock.now - started < .milliseconds(Self.limitMilliseconds) {
            try await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
            let now = try await activity.rows(clients.map(\.databaseName))
            let running = try await activity.running(clients.map(\.id))
            if now != rows || running > 0 { quietSince = ContinuousClock.now }
            rows = now
            if ContinuousClock.now - quietSince >= quiet { return }
        }
        log.warning("rows of the clients still arrive; those that come from now on become dead letters")
    }

    func waitForQuiet(_ client: ClientID) async throws {
        let activity = WarehouseActivity(warehouse: warehouse)
        let started = ContinuousClock.now
        while try await activity.running([client]) > 0 {
            guard ContinuousClock.now - started < .milliseconds(Self.runningLimitMilliseconds) else {
                throw OperationError(
                    "inserts_running",
                    "inserts of client \(client) are still under way at ClickHouse after "
                        + "\(Self.runningLimitMilliseconds / 1000) seconds; nothing was dropped, run the command again",
                    isRetriable: true)
            }
            try await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
    }
}
