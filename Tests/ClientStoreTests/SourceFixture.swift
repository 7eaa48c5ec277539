import Foundation
import PostgresClient
import RedisClient
import RouterCore
import RouterTestSupport
import Synchronization
import Testing

@testable import ClientStore

/// A running source with a directory behind it, as the service has it, and everything that was told.
final class RunningSource: Sendable {
    struct State {
        var directory = ClientDirectory()
        var log: [String] = []
        /// Final answers per client.
        var finals: [ClientID: Int] = [:]
        var problems: [String] = []
        /// Added to the clock, so that a test need not wait for entries to age.
        var clockOffsetMilliseconds: Int64 = 0
    }

    let source: ClientSource
    private let holder: Holder

    /// What `deliver` writes to, which has to exist before the source.
    private final class Holder: Sendable {
        let state = Mutex(State())
    }

    init(
        _ postgres: TestPostgres, _ database: String, _ redis: TestRedis?, key: String? = nil,
        rosterLimit: Int = ClientRoster.clientLimit
    ) {
        let holder = Holder()
        self.holder = holder
        source = ClientSource(
            postgres: PostgresSettings(
                host: "127.0.0.1", port: postgres.port, database: database, user: postgres.user,
                password: postgres.password),
            redis: redis.map { RedisURL(host: "127.0.0.1", port: $0.port) }, hmacKey: key.map { Array($0.utf8) },
            rosterLimit: rosterLimit
        ) { event in
            holder.state.withLock { Self.take(event, &$0) }
        }
        source.start()
    }

    deinit { source.stop() }

    private static func take(_ event: ClientSourceEvent, _ state: inout State) {
        state.directory.apply(event, nowMilliseconds: now(state))
        switch event {
        case .answered(let answers):
            for (id, answer) in answers {
                switch answer {
                case .found(let entry, _): state.log.append("found \(entry.databaseName) \(entry.status)")
                case .absent: state.log.append("absent")
                case .lastKnown(let entry, _): state.log.append("last known \(entry.databaseName) \(entry.status)")
                case .unavailable: state.log.append("unavailable")
                }
                switch answer {
                case .found, .absent: state.finals[id, default: 0] += 1
                case .lastKnown, .unavailable: break
                }
            }
        case .changed(let id): state.log.append("changed \(id)")
        case .changedAll: state.log.append("changed all")
        case .listening(let isListening): state.log.append("listening \(isListening)")
        case .postgres(let isReachable, _): state.log.append("postgres \(isReachable)")
        case .heard: break
        case .roster(let roster): state.log.append("roster \(roster.count)")
        case .problem(let text): state.problems.append(text)
        }
    }

    private static func now(_ state: State) -> Int64 {
        monotonicMilliseconds() + state.clockOffsetMilliseconds
    }

    var log: [String] { holder.state.withLock { $0.log } }
    var problems: [String] { holder.state.withLock { $0.problems } }
    func finals(_ id: ClientID) -> Int { holder.state.withLock { $0.finals[id] ?? 0 } }

    var finalCount: Int { holder.state.withLock { $0.finals.values.reduce(0, +) } }

    func advanceClock(_ milliseconds: Int64) {
        holder.state.withLock { $0.clockOffsetMilliseconds += milliseconds }
    }

    /// One look-up as the service makes it, its questions passed on.
    func find(_ id: ClientID) -> String {
        let (text, requests) = holder.state.withLock { state -> (String, [ClientID]) in
            let finding = state.directory.find(id, nowMilliseconds: Self.now(state))
            let text =
                switch finding {
                case .known(let entry): "known \(entry.databaseName) \(entry.status)"
                case .stale(let entry): "stale \(entry.databaseName) \(entry.status)"
                case .absent: "absent"
                case .miss: "miss"
                }
            return (text, state.directory.takeRequests())
        }
        source.request(requests)
        return text
    }

    /// Looks up until the answer is the one expected.
    func comesTo(_ expected: String, _ id: ClientID) async -> Bool {
        await TestServers.eventually { find(id) == expected }
    }

    /// What it comes to first that is not a wait, with all that is known of the source when it never does.
    func settled(_ id: ClientID) async -> String {
        var text = ""
        let isSettled = await TestServers.eventually {
            text = find(id)
            return text != "miss"
        }
        return isSettled ? text : "still a miss; told: \(log); status: \(source.status)"
    }

    /// Expects what it comes to first, and says what it was instead: `#expect` does not show an awaited value.
    func settles(
        _ id: ClientID, _ expected: String, _ why: Comment? = nil, at location: SourceLocation = #_sourceLocation
    ) async {
        let text = await settled(id)
        #expect(text == expected, why ?? "told: \(log)", sourceLocation: location)
    }

    func listens() async -> Bool {
        await TestServers.eventually { source.status.isListening }
    }

    func says(_ line: String) async -> Bool {
        await TestServers.eventually { log.contains(line) }
    }
}

/// Servers with one database, and the statements that tests need.
struct Servers {
    let postgres: TestPostgres
    let redis: TestRedis
    let database: String

    /// A Redis of its own; a Postgres of its own only for those who harm it.
    init(ownPostgres: Bool = false) throws {
        postgres = ownPostgres ? try TestPostgres() : try TestPostgres.shared.get()
        redis = try TestRedis()
        database = try postgres.makeDatabase()
    }

    static var areAvailable: Bool { TestPostgres.isAvailable && TestRedis.isAvailable }

    func start(
        redis: Bool = true, key: String? = nil, rosterLimit: Int = ClientRoster.clientLimit
    ) -> RunningSource {
        RunningSource(postgres, database, redis ? self.redis : nil, key: key, rosterLimit: rosterLimit)
    }

    var settings: PostgresSettings {
        PostgresSettings(
            host: "127.0.0.1", port: postgres.port, database: database, user: postgres.user,
            password: postgres.password)
    }

    @discardableResult
    func psql(_ sql: String) throws -> String { try postgres.psql(sql, database: database) }

    /// A client whose database is `name`.
    func add(_ name: String, status: String = "active") throws -> ClientID {
        let id = ClientID.random()
        try psql(
            """
            INSERT INTO clients (client_id, client_name, api_key_hash, status, ch_database_name)
            VALUES ('\(id)', '\(name)', repeat('a', 64), '\(status)', '\(name)')
            """)
        return id
    }

    func setStatus(_ id: ClientID, _ status: String) throws {
        try psql("UPDATE clients SET status = '\(status)' WHERE client_id = '\(id)'")
    }

    /// The key in Redis under which a client is found, by Redis' own client; empty when there is none.
    func cacheKey(_ id: ClientID) throws -> String { try redis.cli("KEYS", "*:\(id)") }

    func cached(_ id: ClientID) throws -> String { try redis.cli("GET", cacheKey(id)) }

    func isCached(_ id: ClientID) async throws -> Bool {
        try await TestServers.eventually { try !cacheKey(id).isEmpty }
    }
}
