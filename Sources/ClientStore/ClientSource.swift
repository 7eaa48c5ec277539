import Foundation
import PostgresClient
import RedisClient
import RouterCore

/// Answers for clients from Redis and Postgres, on threads of its own, and tells of changes as they happen.
///
/// One thread answers: Redis first, Postgres in one statement for the rest. The other one listens to
/// `router_clients`. Both reconnect by themselves, for as long as it takes. `deliver` is called by either thread, by
/// one at a time, in an order that holds (see `ClientSourceEvent`). It must return quickly, may call `request`, and
/// must not call `stop`.
public final class ClientSource: Sendable {
    /// The channel of the trigger in `postgres/sql/01_clients.sql`.
    public static let channel = "router_clients"
    /// Only a host name that cannot be looked up, or a Redis that does not answer, keeps a thread this long.
    static let stopTimeoutSeconds = 5.0

    private let shared: SourceShared
    private let postgres: PostgresSettings
    private let redis: RedisURL?
    private let hmacKey: [UInt8]?
    private let rosterLimit: Int
    /// The threads that run.
    private let running = DispatchGroup()

    /// `redis` nil goes without that level. `hmacKey` is `ROUTER_CACHE_HMAC_KEY`: with it, only entries that carry its
    /// MAC are believed. `rosterLimit` is for tests of its edge.
    public init(
        postgres: PostgresSettings, redis: RedisURL?, hmacKey: [UInt8]?, rosterLimit: Int = ClientRoster.clientLimit,
        deliver: @escaping @Sendable (ClientSourceEvent) -> Void
    ) {
        self.postgres = postgres
        self.redis = redis
        self.hmacKey = hmacKey
        self.rosterLimit = rosterLimit
        shared = SourceShared(deliver: deliver)
    }

    /// Starts the threads. Called once.
    public func start() {
        let (shared, postgres, running) = (shared, postgres, running)
        let scope = "\(postgres.host):\(postgres.port)/\(postgres.database)"
        let (redis, hmacKey, rosterLimit) = (redis, hmacKey, rosterLimit)
        running.enter()
        running.enter()
        Self.startThread("clients-answer") {
            let level = redis.map { RedisLevel($0, hmacKey: hmacKey, scope: scope) }
            let truth = PostgresLevel(postgres, interrupt: shared.stop)
            var answering = Answering(shared, truth, level, rosterLimit: rosterLimit)
            answering.run()
            running.leave()
        }
        Self.startThread("clients-listen") {
            ChangeListener(shared, postgres).run()
            running.leave()
        }
    }

    /// Ends both threads and waits for them. False when one of them is still held by the system after the time limit;
    /// it ends by itself. Stopping again, or before the start, is no fault.
    @discardableResult
    public func stop() -> Bool {
        shared.stop.raise()
        shared.wake.raise()
        return running.wait(timeout: .now() + Self.stopTimeoutSeconds) == .success
    }

    /// Asks for clients. Each gets exactly one final answer; asking again before it changes nothing.
    public func request(_ ids: [ClientID]) {
        shared.request(ids)
    }

    public var status: ClientSourceStatus {
        var status = shared.status.withLock { $0 }
        status.openRequests = shared.requests.withLock { $0.count }
        return status
    }

    private static func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.start()
    }
}
