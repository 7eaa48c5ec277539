import PostgresClient
import RouterCore
import RouterTestSupport
import Testing

@testable import ClientStore

@Suite(.enabled(if: Servers.areAvailable, "needs Debian's postgresql-15 and redis-server"))
struct ClientSourceTests {
    let servers: Servers

    init() throws {
        servers = try Servers()
    }

    @Test func findsWhatIsThereAndWhatIsNot() async throws {
        let id = try servers.add("one")
        let router = servers.start()
        defer { router.source.stop() }
        await router.settles(id, "known one active")
        await router.settles(.random(), "absent")
        #expect(try await servers.isCached(id))
        #expect(try servers.redis.cli("TTL", servers.cacheKey(id)).count == 3, "some 600 seconds")
        #expect(router.source.status.postgres.isReachable == true)
        #expect(router.source.status.openRequests == 0)
    }

    @Test func aChangeIsFollowedAndAnInsertToo() async throws {
        let id = try servers.add("one", status: "pending")
        let router = servers.start()
        defer { router.source.stop() }
        #expect(await router.listens())
        await router.settles(id, "known one pending")
        for status in ["active", "suspended", "active"] {
            try servers.setStatus(id, status)
            #expect(await router.comesTo("known one \(status)", id))
        }
        try servers.psql("DELETE FROM clients WHERE client_id = '\(id)'")
        #expect(await router.comesTo("absent", id))
        try servers.psql(
            "INSERT INTO clients (client_id, client_name, api_key_hash, ch_database_name) VALUES ('\(id)', 'n', repeat('b', 64), 'again')"
        )
        #expect(await router.comesTo("known again pending", id))
        try servers.psql("TRUNCATE clients CASCADE")
        #expect(await router.comesTo("absent", id))
    }

    @Test func oneQuestionOneAnswerHoweverOftenItIsAsked() async throws {
        let ids = (0..<2_500).map { _ in ClientID.random() }
        let known = try servers.add("one")
        let router = servers.start()
        defer { router.source.stop() }
        #expect(await router.listens())
        for _ in 0..<5 { router.source.request(ids + [known]) }
        #expect(await TestServers.eventually { (ids + [known]).allSatisfy { router.finals($0) >= 1 } })
        // Each is one final answer or, where it was asked again after its answer, one a question: never a backlog.
        #expect(await TestServers.eventually { router.source.status.openRequests == 0 })
        #expect((ids + [known]).allSatisfy { router.finals($0) <= 5 })
        let status = router.source.status
        let askedOfPostgres = status.postgres.hits + status.postgres.misses
        #expect(askedOfPostgres <= UInt64(router.finalCount))
    }

    @Test func aFloodOfOneUnknownIDIsOneQuestionToPostgres() async throws {
        let router = servers.start()
        defer { router.source.stop() }
        #expect(await router.listens())
        let junk = ClientID.random()
        await router.settles(junk, "absent")
        for _ in 0..<10_000 { _ = router.find(junk) }
        #expect(router.source.status.postgres.misses <= 2)
    }

    @Test func anotherRoutersEntryIsBelievedOnceListening() async throws {
        let (warm, id) = (try servers.add("warm"), try servers.add("one"))
        let (first, second) = (servers.start(), servers.start())
        defer { first.source.stop() }
        defer { second.source.stop() }
        #expect(await first.listens())
        #expect(await second.listens())
        // The second one learns Postgres' time by a read of its own; what the first one reads later is believed.
        await second.settles(warm, "known warm active")
        await first.settles(id, "known one active")
        #expect(try await servers.isCached(id))
        let before = second.source.status.redis.hits
        await second.settles(id, "known one active")
        #expect(second.source.status.redis.hits == before + 1)
    }

    @Test func aChangeWhileNobodyListenedIsNotHiddenByRedis() async throws {
        let id = try servers.add("one", status: "pending")
        let first = servers.start()
        await first.settles(id, "known one pending")
        #expect(try await servers.isCached(id))
        first.source.stop()
        try servers.setStatus(id, "active")
        #expect(try servers.cached(id).contains("pending"))
        let second = servers.start()
        defer { second.source.stop() }
        await second.settles(id, "known one active")
    }

    @Test func aSlowWriterDoesNotBringAnOldRowBack() async throws {
        let id = try servers.add("one")
        let (first, second) = (servers.start(), servers.start())
        defer { first.source.stop() }
        defer { second.source.stop() }
        #expect(await first.listens())
        #expect(await second.listens())
        await first.settles(id, "known one active")
        await second.settles(id, "known one active")
        #expect(try await servers.isCached(id))
        let (key, old) = (try servers.cacheKey(id), try servers.cached(id))
        try servers.setStatus(id, "suspended")
        for router in [first, second] {
            #expect(await router.says("changed \(id)"))
            #expect(try await TestServers.eventually { try !servers.cached(id).contains("active") })
            // The slow writer comes now, when everyone has deleted the entry.
            try servers.redis.cli("SET", key, old)
            await router.settles(id, "known one suspended")
            // And once more when the answer has been written, before the memory of it has aged.
            try servers.redis.cli("SET", key, old)
            router.advanceClock(121_000)
            await router.settles(id, "known one suspended")
        }
    }

    @Test func withAKeyAForgedEntryIsIgnored() async throws {
        let (warm, real) = (try servers.add("warm"), try servers.add("real"))
        let (open, keyed) = (servers.start(), servers.start(key: "secret"))
        defer { open.source.stop() }
        defer { keyed.source.stop() }
        #expect(await open.listens())
        #expect(await keyed.listens())
        await open.settles(warm, "known warm active")
        #expect(try await servers.isCached(warm))
        let entry = try servers.cached(warm)
        await keyed.settles(warm, "known warm active")
        // A client that Postgres does not have, with an entry as a router without a key would write it.
        let forged = ClientID.random()
        let key = try servers.cacheKey(warm).replacing(warm.description, with: forged.description)
        let value = entry.replacing(warm.description, with: forged.description)
        try servers.redis.cli("SET", key, value)
        await keyed.settles(forged, "absent")
        #expect(keyed.source.status.rejectedCacheEntries >= 1)
        // Without a key an entry is believed, which the documentation warns of: but only that of a client which Postgres has.
        let forge = { (id: ClientID) in
            _ = try servers.redis.cli(
                "SET", key.replacing(forged.description, with: id.description),
                value.replacing(forged.description, with: id.description))
        }
        let other = ClientID.random()
        try forge(other)
        await open.settles(other, "absent")
        try forge(real)
        await open.settles(real, "known warm active")
    }

    @Test func aFloodOfUnknownIDsReachesNeitherRedisNorPostgres() async throws {
        let id = try servers.add("one")
        let router = servers.start()
        defer { router.source.stop() }
        #expect(await router.says("roster 1"))
        await router.settles(id, "known one active")
        await router.settles(.random(), "absent")
        let before = router.source.status
        for _ in 0..<50_000 { await router.settles(.random(), "absent") }
        let after = router.source.status
        #expect(after.redis.hits + after.redis.misses == before.redis.hits + before.redis.misses)
        #expect(after.postgres.hits + after.postgres.misses == before.postgres.hits + before.postgres.misses)
        #expect(after.rosterReads == before.rosterReads)
        #expect(try servers.redis.cli("DBSIZE") == "1", "and nothing is left in Redis")
    }

    @Test func withoutListeningAFloodIsOneStatementASecond() async throws {
        let id = try servers.add("one")
        let postgres = PostgresLevel(servers.settings, interrupt: WakeSignal())
        // The answering thread's rounds alone, with nobody who listens.
        let shared = SourceShared { _ in }
        var answering = Answering(shared, postgres, nil, rosterLimit: 10)
        for _ in 0..<20 {
            shared.request((0..<3_000).map { _ in ClientID.random() })
            _ = answering.round()
        }
        shared.request([id])
        _ = answering.round()
        #expect(shared.status.withLock { $0.rosterReads } <= 4, "the burst; then one a second")
        #expect(shared.requests.withLock { $0.count } > 0, "the others wait")
        #expect(
            await TestServers.eventually {
                _ = answering.round()
                return shared.requests.withLock { $0.count } == 0
            })
        #expect(shared.status.withLock { $0.postgres.misses } == 60_000)
        #expect(shared.status.withLock { $0.postgres.hits } == 1)
    }

    @Test func beyondTheLimitOfTheRosterIDsAreLookedUpAtABoundedPace() async throws {
        let ids = try (0..<3).map { try servers.add("c\($0)") }
        let router = servers.start(rosterLimit: 2)
        defer { router.source.stop() }
        #expect(await TestServers.eventually { router.problems.contains { $0.contains("more than 2 clients") } })
        for (number, id) in ids.enumerated() { await router.settles(id, "known c\(number) active") }
        await router.settles(.random(), "absent")
        let began = monotonicMilliseconds()
        let junk = (0..<8_000).map { _ in ClientID.random() }
        router.source.request(junk)
        #expect(await TestServers.eventually(withinSeconds: 60) { junk.allSatisfy { router.finals($0) == 1 } })
        let seconds = Double(monotonicMilliseconds() - began) / 1000
        // Eight statements of a thousand; a burst of five, then five a second.
        #expect(seconds >= 0.4)
        #expect(router.log.allSatisfy { !$0.hasPrefix("roster") })
        try servers.setStatus(ids[0], "suspended")
        #expect(await router.comesTo("known c0 suspended", ids[0]))
    }

    @Test func atTheLimitOfTheRosterThereIsOne() async throws {
        for number in 0..<3 { _ = try servers.add("c\(number)") }
        let router = servers.start(rosterLimit: 3)
        defer { router.source.stop() }
        #expect(await router.says("roster 3"))
        let fourth = try servers.add("c3")
        #expect(await router.comesTo("known c3 active", fourth))
        await router.settles(.random(), "absent")
    }

    @Test func aThousandClientsAtOnceAreAFewStatements() async throws {
        try servers.psql(
            """
            INSERT INTO clients (client_name, api_key_hash, status) SELECT 'c' || n, repeat('a', 64), 'active'
              FROM generate_series(1, 1000) AS n
            """)
        let ids = try servers.psql("SELECT client_id FROM clients").split(separator: "\n").compactMap {
            ClientID(String($0))
        }
        #expect(ids.count == 1_000)
        let router = servers.start(redis: false)
        defer { router.source.stop() }
        #expect(await router.says("roster 1000"))
        for id in ids { _ = router.find(id) }
        for id in ids { await router.settles(id, "known client_\(id.description.replacing("-", with: "_")) active") }
        #expect(router.source.status.postgres.hits == 1_000, "each once")
    }

    @Test func garbageInRedisIsAMiss() async throws {
        let (warm, id) = (try servers.add("warm"), try servers.add("one"))
        let router = servers.start()
        defer { router.source.stop() }
        #expect(await router.listens())
        await router.settles(warm, "known warm active")
        #expect(try await servers.isCached(warm))
        let key = try servers.cacheKey(warm).replacing(warm.description, with: id.description)
        try servers.redis.cli("SET", key, "\u{1}garbage")
        await router.settles(id, "known one active")
        let list = ClientID.random()
        try servers.redis.cli("LPUSH", key.replacing(id.description, with: list.description), "x")
        await router.settles(list, "absent", "MGET answers null for a key of another type")
    }

    @Test func withoutRedisOrWithADeadOneItGoesOn() async throws {
        let (one, two, three) = (try servers.add("one"), try servers.add("two"), try servers.add("three"))
        let (without, with) = (servers.start(redis: false), servers.start())
        defer { without.source.stop() }
        defer { with.source.stop() }
        await without.settles(one, "known one active")
        #expect(without.source.status.redis.isReachable == nil)
        await with.settles(one, "known one active")
        #expect(await TestServers.eventually { with.source.status.redis.isReachable == true })
        servers.redis.freeze()
        await with.settles(two, "known two active")
        servers.redis.thaw()
        servers.redis.kill()
        await with.settles(three, "known three active")
        #expect(
            await TestServers.eventually {
                with.source.request([two])
                return with.source.status.redis.isReachable == false
            })
        #expect(with.source.status.redis.error?.contains("127.0.0.1:\(servers.redis.port)") == true)
        try servers.redis.start()
        #expect(
            await TestServers.eventually {
                with.source.request([two])
                return with.source.status.redis.isReachable == true
            })
    }

    @Test func aRowThatCannotBeUsedHarmsOnlyItsClient() async throws {
        let (bad, good) = (try servers.add("bad"), try servers.add("good"))
        try servers.psql("ALTER TABLE clients DROP CONSTRAINT clients_status_check")
        try servers.setStatus(bad, "sleeping")
        try servers.psql(
            """
            UPDATE clients SET previous_api_key_hash = repeat('b', 64), previous_api_key_expires_at = 'infinity'
             WHERE client_id = '\(good)'
            """)
        let router = servers.start()
        defer { router.source.stop() }
        router.source.request([bad, good])
        await router.settles(good, "known good active")
        #expect(await router.settled(bad).hasSuffix("suspended"))
        #expect(router.problems.first?.contains(bad.description) == true)
        #expect(router.problems.first?.contains("status") == true)
    }
}
