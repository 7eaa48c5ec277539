import PostgresClient
import RouterCore

// What is asked for and stands in no roster. Nobody knows whether it is a client just added or one of a million ids that
// somebody made up, so it costs no look-up of its own: the roster is read again, once for all of them.
extension Answering {
    /// How old a roster gets while changes are heard of: bounds what a lost notification could do, as for an entry.
    static let rosterLifetimeMilliseconds: Int64 = 60_000
    /// … and while nobody listens: it also shows whether Postgres is there at all, before an event has to ask.
    static let unheardRosterLifetimeMilliseconds: Int64 = 5_000

    /// When the questions that wait for a roster may be tended again.
    var strayDueAtMilliseconds: Int64 {
        tooManySinceMilliseconds == nil ? rosterPace.dueAtMilliseconds : strayPace.dueAtMilliseconds
    }

    /// Reads the roster where one is due or questions wait for it. Postgres may be asked.
    /// - Returns: true when there may be more to do at once.
    mutating func tendStrays() -> Bool {
        let now = monotonicMilliseconds()
        if let since = tooManySinceMilliseconds, now - since >= Self.rosterLifetimeMilliseconds {
            tooManySinceMilliseconds = nil
        }
        let hasStrays = shared.requests.withLock { $0.hasStrays }
        guard tooManySinceMilliseconds == nil else { return hasStrays && lookUpStrays(now) }
        guard hasStrays || isRosterDue(now), rosterPace.isDue(nowMilliseconds: now) else { return false }
        // Both are taken before the reading starts: then it speaks of all of them, and of every change heard of so far.
        let ticket = shared.feed.withLock { $0.trust.ticket }
        let strays = shared.requests.withLock { $0.takeStrays() }
        do throws(PostgresError) {
            settle(strays, try readRoster(ticket), ticket)
            return hasStrays
        } catch {
            postgresFailed(error)
            for start in stride(from: 0, to: strays.count, by: RequestQueue.batchLimit) {
                let part = strays[start..<min(strays.count, start + RequestQueue.batchLimit)]
                answer(Array(part), ticket, mayAskPostgres: false)
            }
            return false
        }
    }

    private func isRosterDue(_ now: Int64) -> Bool {
        shared.feed.withLock { feed in
            guard let roster = feed.roster else { return true }
            let lifetime =
                feed.isListening ? Self.rosterLifetimeMilliseconds : Self.unheardRosterLifetimeMilliseconds
            return now - roster.readAtMilliseconds >= lifetime
        }
    }

    /// nil when there are too many clients.
    private mutating func readRoster(_ ticket: CacheTrust.Ticket) throws(PostgresError) -> Set<ClientID>? {
        let startedMilliseconds = monotonicMilliseconds()
        let reading = try postgres.readRoster(limit: rosterLimit)
        let now = monotonicMilliseconds()
        rosterPace.done(nowMilliseconds: now, tookMilliseconds: now - startedMilliseconds)
        postgresAnswered([], reading.readAtMicroseconds, startedMilliseconds, ticket)
        guard let ids = reading.ids else {
            tooManySinceMilliseconds = now
            shared.tellTooManyForRoster(limit: rosterLimit)
            return nil
        }
        shared.tellRoster(ids, readAtMilliseconds: startedMilliseconds, limit: rosterLimit, ticket)
        return ids
    }

    private func settle(_ strays: [RequestQueue.Request], _ ids: Set<ClientID>?, _ ticket: CacheTrust.Ticket) {
        guard let ids else {
            shared.requests.withLock { $0.setAside(strays) }
            return
        }
        let absent = strays.filter { !ids.contains($0.id) }
        count(\.postgres, hits: 0, misses: absent.count)
        shared.tellAnswers(absent.map { ($0.id, .absent) }, ticket)
        shared.requests.withLock { requests in
            for stray in strays where ids.contains(stray.id) { requests.putBack(stray.id) }
        }
    }

    private mutating func lookUpStrays(_ now: Int64) -> Bool {
        guard strayPace.isDue(nowMilliseconds: now) else { return false }
        let ticket = shared.feed.withLock { $0.trust.ticket }
        let strays = shared.requests.withLock { $0.takeStrays(limit: RequestQueue.batchLimit) }
        strayPace.done(nowMilliseconds: now)
        answer(strays, ticket, mayAskPostgres: true)
        return true
    }
}
