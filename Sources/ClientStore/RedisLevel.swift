import CCrypto
import PostgresClient
import RedisClient
import RouterCore

/// The cache that all routers share: reads and writes entries over a connection that it keeps. Used by one thread.
///
/// Its failures are never thrown: whatever is wrong with Redis is a miss, and Redis is left alone for a while.
struct RedisLevel {
    /// Long enough for "Postgres is away, go on with what is cached"; how fresh an entry has to be otherwise is
    /// decided by the reader.
    static let entryLifetimeSeconds = 600
    static let connectTimeoutMilliseconds = 500
    /// Events wait for this, and Postgres is there instead.
    static let commandTimeoutMilliseconds = 250

    private let url: RedisURL
    private let codec: CacheEntryCodec
    private let keyPrefix: String
    private var connection: RedisConnection?
    private var backoff = Backoff()
    /// nil while Redis answers, and before it was first asked.
    private(set) var error: String?
    private(set) var wasAsked = false
    private(set) var failures: UInt64 = 0
    /// Entries that were there and could not be used: of a wrong form, or their MAC missing or wrong.
    private(set) var rejectedEntries: UInt64 = 0

    /// `scope` keeps installations apart that share a Redis: a client's id may exist in both, with other databases.
    init(_ url: RedisURL, hmacKey: [UInt8]?, scope: String) {
        self.url = url
        codec = CacheEntryCodec(key: hmacKey)
        keyPrefix = "router:client:1:\(KeyHash.sha256(of: scope).hex.prefix(12)):"
    }

    func key(_ id: ClientID) -> String { keyPrefix + id.description }

    mutating func read(_ ids: [ClientID], nowMilliseconds: Int64) -> [ClientID: CacheEntry] {
        guard !ids.isEmpty else { return [:] }
        let replies = attempt(nowMilliseconds, [words("MGET") + ids.map { Array(key($0).utf8) }])
        guard let values = replies?.first?.elements, values.count == ids.count else { return [:] }
        var entries: [ClientID: CacheEntry] = [:]
        for (id, value) in zip(ids, values) {
            guard let bytes = value.bytes else { continue }
            if let entry = codec.decode(id, bytes) { entries[id] = entry } else { rejectedEntries += 1 }
        }
        return entries
    }

    mutating func write(_ entries: [(ClientID, CacheEntry)], nowMilliseconds: Int64) {
        guard !entries.isEmpty else { return }
        let commands = entries.map { id, entry in
            words("SETEX", key(id), String(Self.entryLifetimeSeconds)) + [codec.encode(id, entry)]
        }
        attempt(nowMilliseconds, commands)
    }

    mutating func delete(_ ids: [ClientID], nowMilliseconds: Int64) {
        guard !ids.isEmpty else { return }
        attempt(nowMilliseconds, [words("DEL") + ids.map { Array(key($0).utf8) }])
    }

    private func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    /// nil when Redis failed, refused a command or is being left alone.
    @discardableResult
    private mutating func attempt(_ nowMilliseconds: Int64, _ commands: [[[UInt8]]]) -> [RedisReply]? {
        guard backoff.isDue(nowMilliseconds: nowMilliseconds) else { return nil }
        wasAsked = true
        let isReused = connection?.isOpen ?? false
        do {
            var replies: [RedisReply]
            do {
                replies = try opened().pipeline(commands)
            } catch  where isReused && error.code == .connectionLost {
                replies = try opened().pipeline(commands)
            }
            for case .failure(let text) in replies {
                // Such as NOAUTH, LOADING, OOM or READONLY: the connection works, the cache does not.
                failed("Redis at \(url.host):\(url.port): \(text)", nowMilliseconds)
                return nil
            }
            backoff.succeeded()
            error = nil
            return replies
        } catch {
            failed(error.description, nowMilliseconds)
            return nil
        }
    }

    private mutating func failed(_ text: String, _ nowMilliseconds: Int64) {
        error = text
        failures += 1
        backoff.failed(nowMilliseconds: nowMilliseconds)
    }

    private mutating func opened() throws(RedisError) -> RedisConnection {
        if let connection, connection.isOpen { return connection }
        let opened = try RedisConnection(
            url, connectTimeoutMilliseconds: Self.connectTimeoutMilliseconds,
            commandTimeoutMilliseconds: Self.commandTimeoutMilliseconds)
        connection = opened
        return opened
    }
}
