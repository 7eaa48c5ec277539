import ClientStore
import RedisClient
import RouterConfiguration
import RouterConnections

/// Redis: reach, version, memory policy, clock; and whether it says of the clients what Postgres says.
struct RedisCheck {
    let settings: Settings
    let findings: Findings
    let known: KnownClients?

    private static let commandMilliseconds = 3_000

    func run() {
        let connection: RedisConnection
        do {
            connection = try RedisConnection(
                settings.redisURL, connectTimeoutMilliseconds: Self.commandMilliseconds,
                commandTimeoutMilliseconds: Self.commandMilliseconds)
            let text = try connection.command("INFO", "server").bytes.map { String(decoding: $0, as: UTF8.self) }
            findings.ok("redis.reach", "version \(text.flatMap { Self.field("redis_version", in: $0) } ?? "not told")")
        } catch {
            findings.unknown(
                "redis.reach", "\(error)",
                "see that Redis is up, and REDIS_URL; without it the router works on, and asks Postgres more often")
            return
        }
        findings.check("redis.memory") { try memory(connection) }
        findings.check("redis.clock") { try clock(connection) }
        findings.check("redis.directory") { try directory() }
    }

    private static func field(_ name: String, in text: String) -> String? {
        text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }
            .map { String($0.dropFirst(name.count + 1)) }
    }

    private func memory(_ connection: RedisConnection) throws {
        let text = try connection.command("INFO", "memory").bytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let limit = Self.field("maxmemory", in: text).flatMap { Int($0) } ?? 0
        let policy = Self.field("maxmemory_policy", in: text) ?? "not told"
        if limit > 0, policy == "noeviction" {
            findings.warning(
                "redis.memory",
                "with maxmemory \(limit.grouped) and maxmemory-policy noeviction a full Redis takes nothing",
                "set maxmemory-policy to allkeys-lru: it is a cache")
        } else {
            findings.ok("redis.memory", limit == 0 ? "no memory limit" : "maxmemory \(limit.grouped), \(policy)")
        }
    }

    private func clock(_ connection: RedisConnection) throws {
        let before = WallClock.milliseconds()
        let reply = try connection.command("TIME")
        let after = WallClock.milliseconds()
        let parts = (reply.elements ?? []).compactMap {
            $0.bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
        }
        guard parts.count == 2 else { return findings.unknown("redis.clock", "TIME was answered with \(reply)") }
        ClockSkew.report(
            "redis.clock", theirs: parts[0] * 1000 + parts[1] / 1000, before: before, after: after, findings)
    }

    private func directory() throws {
        guard let known else {
            return findings.unknown("redis.directory", "without Postgres there is nothing to compare the cache with")
        }
        let comparison = try CacheComparison.compare(
            known.clients.map(\.id), postgres: settings.postgresSettings, redis: settings.redisURL,
            hmacKey: settings.redis.cacheHMACKey.map { Array($0.reveal().utf8) })
        if !comparison.differing.isEmpty {
            findings.fault(
                "redis.directory",
                "Redis says something else than Postgres of "
                    + Findings.some(comparison.differing.map(\.description), limit: 2),
                "see who writes to Redis and set ROUTER_CACHE_HMAC_KEY; entries go after ten minutes, or at once with DEL"
            )
        } else if comparison.rejected > 0 {
            findings.warning(
                "redis.directory",
                "\(comparison.rejected) entries cannot be used: their form or their signature is wrong",
                "give all members the same ROUTER_CACHE_HMAC_KEY and version; see who else writes to this Redis")
        } else {
            findings.ok(
                "redis.directory",
                "\(comparison.entries.grouped) entries of \(comparison.clients.grouped) clients agree with Postgres")
        }
    }
}
