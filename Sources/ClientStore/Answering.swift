import PostgresClient
import RouterCore

/// The thread that answers. A round: take what is asked, look into Redis, ask Postgres for the rest, tell, and write
/// what Postgres said back to Redis. Only clients on the roster are looked up; the others wait for the next roster, which
/// says of all of them at once that they do not exist (`Answering+Roster.swift`).
struct Answering {
    /// How old an entry of Redis may be and pass for an answer: as long as one in memory does.
    static let believedLimitMicroseconds: Int64 = 60_000_000
    /// How old it may be while Postgres is away.
    static let staleLimitMicroseconds: Int64 = 600_000_000
    /// The signal ends a sleep at once. Should there have been no file descriptors left for it, questions are a little
    /// late and not forgotten.
    static let sleepLimitMilliseconds: Int64 = 1_000
    /// Clocks differ a little. An entry from further in the future is not one that a router wrote.
    static let futureLimitMicroseconds: Int64 = 60_000_000

    let shared: SourceShared
    let rosterLimit: Int
    var postgres: PostgresLevel
    private var redis: RedisLevel?
    private(set) var backoff = Backoff()
    private var postgresError = ""
    /// Postgres' clock at some moment of ours: ages of entries are told by it, so that clocks need not agree.
    private var postgresClock: (microseconds: Int64, atMilliseconds: Int64)?

    /// Four at once for a start, where the listener begins to listen just after the first questions; then one a second.
    var rosterPace = Pace(burst: 4, intervalMilliseconds: 1_000)
    /// Where there are too many clients for a roster: when that was last seen to be so.
    var tooManySinceMilliseconds: Int64?
    /// Where there is no roster, a flood of made-up ids has to be looked up: in so many statements a second.
    var strayPace = Pace(burst: 5, intervalMilliseconds: 200)

    init(_ shared: SourceShared, _ postgres: PostgresLevel, _ redis: RedisLevel?, rosterLimit: Int) {
        self.shared = shared
        self.postgres = postgres
        self.redis = redis
        self.rosterLimit = rosterLimit
    }

    mutating func run() {
        while !shared.isStopped {
            if !round() { sleep() }
        }
    }

    /// - Returns: true when there may be more to do at once.
    mutating func round() -> Bool {
        // Cleared before looking: what is asked after the look raises it again.
        shared.wake.clear()
        let mayAskPostgres = backoff.isDue(nowMilliseconds: monotonicMilliseconds())
        let batch = shared.requests.withLock { $0.take(includingWaiting: mayAskPostgres) }
        let (deletions, ticket, roster) = shared.feed.withLock { feed in
            defer { feed.deletions = [] }
            return (feed.deletions, feed.trust.ticket, feed.roster)
        }
        redis?.delete(deletions, nowMilliseconds: monotonicMilliseconds())
        defer { noteRedis() }
        guard mayAskPostgres else {
            answer(batch, ticket, mayAskPostgres: false)
            return !batch.isEmpty
        }
        let isListed = { (request: RequestQueue.Request) in roster?.contains(request.id) ?? false }
        shared.requests.withLock { $0.setAside(batch.filter { !isListed($0) }) }
        answer(batch.filter(isListed), ticket, mayAskPostgres: true)
        // Not when Postgres has just failed to answer.
        let hasMore = backoff.isDue(nowMilliseconds: monotonicMilliseconds()) && tendStrays()
        return hasMore || !batch.isEmpty
    }

    private func sleep() {
        // Looked at once more: a stop that came just before the signal was cleared would otherwise be slept through.
        guard !shared.isStopped else { return }
        let now = monotonicMilliseconds()
        let (hasWaiting, hasStrays) = shared.requests.withLock { ($0.hasWaiting, $0.hasStrays) }
        var limit = Self.sleepLimitMilliseconds
        if hasWaiting { limit = min(limit, max(0, backoff.dueAtMilliseconds - now)) }
        if hasStrays {
            let dueAt = max(backoff.dueAtMilliseconds, strayDueAtMilliseconds)
            // At least a millisecond: a due time that has just passed must not make this loop spin.
            limit = min(limit, max(1, dueAt - now))
        }
        shared.wake.wait(timeoutMilliseconds: Int32(clamping: limit))
    }

    // MARK: - One round

    /// Answers for clients that are worth a look-up, at most `RequestQueue.batchLimit` of them.
    mutating func answer(_ batch: [RequestQueue.Request], _ ticket: CacheTrust.Ticket, mayAskPostgres: Bool) {
        guard !batch.isEmpty else { return }
        let cached = redis?.read(batch.map(\.id), nowMilliseconds: monotonicMilliseconds()) ?? [:]
        let believed = believedAnswers(cached)
        shared.tellAnswers(believed.map { ($0.key, $0.value) }, ticket)
        let rest = batch.filter { believed[$0.id] == nil }
        if redis != nil { count(\.redis, hits: believed.count, misses: rest.count) }
        guard !rest.isEmpty else { return }
        guard mayAskPostgres else {
            tellWaiting(rest, cached)
            return
        }
        do throws(PostgresError) {
            try askPostgres(rest.map(\.id), ticket)
        } catch {
            postgresFailed(error)
            tellWaiting(rest, cached)
        }
    }

    private func believedAnswers(_ cached: [ClientID: CacheEntry]) -> [ClientID: ClientAnswer] {
        guard !cached.isEmpty else { return [:] }
        let trust = shared.feed.withLock { $0.trust }
        var answers: [ClientID: ClientAnswer] = [:]
        for (id, entry) in cached where trust.believes(id, readAtMicroseconds: entry.readAtMicroseconds) {
            let age = ageMicroseconds(entry)
            guard age <= Self.believedLimitMicroseconds else { continue }
            answers[id] = .found(entry.client, ageMilliseconds: age / 1000)
        }
        return answers
    }

    private mutating func askPostgres(_ ids: [ClientID], _ ticket: CacheTrust.Ticket) throws(PostgresError) {
        let startedMilliseconds = monotonicMilliseconds()
        let reading = try postgres.read(ids)
        let ageMilliseconds = monotonicMilliseconds() - startedMilliseconds
        postgresAnswered(ids, reading.readAtMicroseconds, startedMilliseconds, ticket)
        count(\.postgres, hits: reading.clients.count, misses: ids.count - reading.clients.count)
        reading.problems.forEach(shared.tellProblem)
        let answers = ids.map { id -> (ClientID, ClientAnswer) in
            guard let entry = reading.clients[id] else { return (id, .absent) }
            return (id, .found(entry, ageMilliseconds: ageMilliseconds))
        }
        shared.tellAnswers(answers, ticket)
        let entries = reading.clients.map { id, client in
            (id, CacheEntry(client: client, readAtMicroseconds: reading.readAtMicroseconds))
        }
        redis?.write(entries, nowMilliseconds: monotonicMilliseconds())
    }

    mutating func postgresAnswered(
        _ ids: [ClientID], _ readAtMicroseconds: Int64, _ startedMilliseconds: Int64, _ ticket: CacheTrust.Ticket
    ) {
        backoff.succeeded()
        postgresClock = (readAtMicroseconds, startedMilliseconds)
        shared.feed.withLock { $0.trust.learn(ids, readAtMicroseconds: readAtMicroseconds, ticket) }
        shared.status.withLock {
            $0.postgres.isReachable = true
            $0.postgres.error = nil
        }
        shared.tellPostgres(reachable: true, "Postgres answers")
    }

    mutating func postgresFailed(_ error: PostgresError) {
        postgresError = error.description
        backoff.failed(nowMilliseconds: monotonicMilliseconds())
        shared.status.withLock {
            $0.postgres.failures += 1
            $0.postgres.isReachable = false
            $0.postgres.error = error.description
        }
        if error.code != .interrupted { shared.tellPostgres(reachable: false, error.description) }
    }

    /// Postgres cannot be asked: says what there is to go on with, to those who have not heard it yet.
    private func tellWaiting(_ requests: [RequestQueue.Request], _ cached: [ClientID: CacheEntry]) {
        var answers: [(ClientID, ClientAnswer)] = []
        for request in requests {
            if let entry = cached[request.id], ageMicroseconds(entry) <= Self.staleLimitMicroseconds {
                answers.append((request.id, .lastKnown(entry.client, ageMilliseconds: ageMicroseconds(entry) / 1000)))
            } else if request.isNew {
                answers.append((request.id, .unavailable(postgresError)))
            }
        }
        shared.tellInterim(answers, parking: requests.map(\.id))
    }

    // MARK: - Counting

    /// Never negative; `Int64.max` for an entry from the future.
    private func ageMicroseconds(_ entry: CacheEntry) -> Int64 {
        var now = wallMicroseconds()
        if let clock = postgresClock {
            now = clock.microseconds + (monotonicMilliseconds() - clock.atMilliseconds) * 1000
        }
        let age = now.subtractingReportingOverflow(entry.readAtMicroseconds)
        if age.overflow || age.partialValue < -Self.futureLimitMicroseconds { return .max }
        return max(0, age.partialValue)
    }

    func count(
        _ level: WritableKeyPath<ClientSourceStatus, ClientSourceStatus.Level>, hits: Int, misses: Int
    ) {
        shared.status.withLock {
            $0[keyPath: level].hits += UInt64(hits)
            $0[keyPath: level].misses += UInt64(misses)
        }
    }

    private func noteRedis() {
        guard let redis, redis.wasAsked else { return }
        shared.status.withLock {
            $0.redis.isReachable = redis.error == nil
            $0.redis.error = redis.error
            $0.redis.failures = redis.failures
            $0.rejectedCacheEntries = redis.rejectedEntries
        }
    }
}
