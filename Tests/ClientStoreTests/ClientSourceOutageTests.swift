import ClientStore
import RouterCore
import RouterTestSupport
import Testing

/// Postgres is killed and frozen here, so each test has one of its own, and one at a time.
@Suite(.serialized, .enabled(if: Servers.areAvailable, "needs Debian's postgresql-15 and redis-server"))
struct ClientSourceOutageTests {
    let servers: Servers

    init() throws {
        servers = try Servers(ownPostgres: true)
    }

    @Test func anOutageIsBridgedAndThenWaitedOut() async throws {
        let (id, unseen) = (try servers.add("one"), try servers.add("unseen"))
        let router = servers.start()
        defer { servers.postgres.kill() }
        defer { router.source.stop() }
        #expect(await router.listens())
        await router.settles(id, "known one active")
        servers.postgres.kill()
        #expect(await router.says("listening false"))
        #expect(router.source.status.listenError != nil)
        #expect(await router.says("postgres false"), "noticed before anybody asks")
        // A client that is not in memory waits; it is never called unknown.
        #expect(router.find(unseen) == "miss")
        #expect(await router.says("postgres false"))
        #expect(await router.says("unavailable"))
        let failures = router.source.status.postgres.failures
        #expect(
            await TestServers.eventually(withinSeconds: 60) { router.source.status.postgres.failures >= failures + 4 })
        router.advanceClock(300_000)
        #expect(router.find(id) == "stale one active")
        router.advanceClock(300_000)
        #expect(router.find(id) == "miss", "beyond the stated age")
        #expect(router.find(unseen) == "miss")
        #expect(router.log.filter { $0 == "absent" }.isEmpty)
        #expect(router.log.filter { $0 == "unavailable" }.count <= 2, "said once a client, not at every try")
        #expect(router.source.status.postgres.error?.contains(":\(servers.postgres.port)") == true)
        try servers.postgres.start()
        // The open questions are answered without being asked again.
        #expect(await TestServers.eventually { router.finals(unseen) == 1 })
        #expect(await router.comesTo("known unseen active", unseen))
        #expect(await router.comesTo("known one active", id))
        #expect(await router.listens())
    }

    @Test func aChangeDuringALostConnectionIsSeenWhenItIsBack() async throws {
        let id = try servers.add("one")
        let router = servers.start()
        defer { servers.postgres.kill() }
        defer { router.source.stop() }
        #expect(await router.listens())
        await router.settles(id, "known one active")
        // Nobody listens for a moment, and in that moment it happens: in one session, so that none comes between.
        try servers.psql(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'router%';
            UPDATE clients SET status = 'suspended';
            """)
        #expect(await router.comesTo("known one suspended", id))
    }

    @Test func aRouterThatStartsInAnOutageUsesWhatRedisRemembers() async throws {
        let id = try servers.add("one")
        let first = servers.start()
        await first.settles(id, "known one active")
        #expect(try await servers.isCached(id))
        first.source.stop()
        servers.postgres.kill()
        let second = servers.start()
        defer { servers.postgres.kill() }
        defer { second.source.stop() }
        await second.settles(id, "stale one active")
        #expect(second.log.contains("last known one active"))
        #expect(second.source.status.openRequests == 1, "the question stays open")
        try servers.postgres.start()
        try servers.setStatus(id, "suspended")
        #expect(await second.comesTo("known one suspended", id))
    }

    @Test func aFrozenPostgresIsAnOutageAndStoppingDoesNotHang() async throws {
        let (id, unseen) = (try servers.add("one"), try servers.add("unseen"))
        let router = servers.start()
        defer { servers.postgres.kill() }
        #expect(await router.listens())
        await router.settles(id, "known one active")
        servers.postgres.freeze()
        #expect(router.find(unseen) == "miss")
        #expect(await router.says("postgres false"))
        #expect(await router.says("listening false"))
        router.advanceClock(200_000)
        #expect(router.find(id) == "stale one active")
        servers.postgres.thaw()
        #expect(await router.comesTo("known unseen active", unseen))
        servers.postgres.freeze()
        _ = router.find(.random())
        #expect(router.source.stop())
        #expect(router.source.stop(), "again is no fault")
    }
}
