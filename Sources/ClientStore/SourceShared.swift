import Glibc
import PostgresClient
import RouterCore
import Synchronization

/// What the threads of a `ClientSource` share. Two locks: one for what is asked, one for what is told. Whoever is told
/// something may ask from there; asking never takes the second lock.
final class SourceShared: Sendable {
    /// What has been told, and what that means for answers on their way.
    struct Feed {
        var trust = CacheTrust()
        var isPostgresReachable: Bool?
        var isListening = false
        /// The same one as the directory's. Here it says which ids are worth a look-up; it refuses none by itself.
        var roster: ClientRoster?
        /// Clients that changed and whose entries in Redis are to go.
        var deletions: [ClientID] = []
    }

    /// Deletions in Redis are a courtesy (see `CacheTrust`); more than this at once are left to their expiry.
    static let deletionLimit = 10_000

    let requests = Mutex(RequestQueue())
    let feed = Mutex(Feed())
    let status = Mutex(ClientSourceStatus())
    /// Ends the answering thread's sleep; cleared by it.
    let wake = WakeSignal()
    /// Ends every wait for good; never cleared.
    let stop = WakeSignal()
    private let deliver: @Sendable (ClientSourceEvent) -> Void

    init(deliver: @escaping @Sendable (ClientSourceEvent) -> Void) {
        self.deliver = deliver
    }

    var isStopped: Bool { stop.wait(timeoutMilliseconds: 0) }

    func request(_ ids: [ClientID]) {
        guard !ids.isEmpty else { return }
        requests.withLock { $0.add(ids) }
        wake.raise()
    }

    // MARK: - Telling, in one order for everyone

    func tellChanged(_ id: ClientID) {
        feed.withLock { feed in
            feed.trust.changed(id)
            if feed.roster?.insert(id) == false { feed.roster = nil }
            if feed.deletions.count < Self.deletionLimit { feed.deletions.append(id) }
            deliver(.changed(id))
        }
        wake.raise()
    }

    func tellChangedAll() {
        feed.withLock { feed in
            feed.trust.changedAll()
            feed.roster = nil
            deliver(.changedAll)
        }
        wake.raise()
    }

    func tellListening(_ isListening: Bool, error: String?) {
        status.withLock {
            $0.isListening = isListening
            $0.listenError = error
        }
        feed.withLock { feed in
            feed.trust.listening(isListening)
            feed.isListening = isListening
            // In this order: what is remembered is forgotten before it counts as watched over.
            if isListening { deliver(.changedAll) }
            // Another one is due, which is also the quickest way to learn whether Postgres is there at all.
            feed.roster = nil
            deliver(.listening(isListening))
        }
        wake.raise()
    }

    /// Called once every change that was committed before that moment has been told.
    func tellHeard(atMilliseconds: Int64) {
        feed.withLock { _ in deliver(.heard(atMilliseconds: atMilliseconds)) }
    }

    /// Delivers all ids as they were read; not when everything may have changed since the reading began.
    func tellRoster(_ ids: Set<ClientID>, readAtMilliseconds: Int64, limit: Int, _ ticket: CacheTrust.Ticket) {
        let count = feed.withLock { feed -> Int? in
            guard let changed = feed.trust.changed(since: ticket) else { return nil }
            let ids = changed.isEmpty ? ids : ids.union(changed)
            feed.roster = ClientRoster(ids, readAtMilliseconds: readAtMilliseconds, limit: limit)
            if let roster = feed.roster { deliver(.roster(roster)) }
            return feed.roster?.count
        }
        status.withLock {
            $0.rosterReads += 1
            $0.rosterCount = count
        }
    }

    func tellTooManyForRoster(limit: Int) {
        status.withLock {
            $0.rosterReads += 1
            $0.rosterCount = nil
        }
        tellProblem(
            "there are more than \(limit) clients, too many to hold all their ids in memory: events with an unknown "
                + "client_id are looked up in Postgres, at a bounded pace that they have to wait for")
    }

    func tellPostgres(reachable isReachable: Bool, _ text: String) {
        feed.withLock { feed in
            guard feed.isPostgresReachable != isReachable else { return }
            feed.isPostgresReachable = isReachable
            deliver(.postgres(reachable: isReachable, text))
        }
    }

    func tellProblem(_ text: String) {
        deliver(.problem(text))
    }

    /// Delivers final answers; those that a change has overtaken are asked again instead.
    func tellAnswers(_ answers: [(ClientID, ClientAnswer)], _ ticket: CacheTrust.Ticket) {
        guard !answers.isEmpty else { return }
        feed.withLock { feed in
            let outdated = answers.filter { feed.trust.isOutdated($0.0, ticket) }.map(\.0)
            let current = answers.filter { !feed.trust.isOutdated($0.0, ticket) }
            // Closed before they are delivered: who hears an answer may ask anew at once.
            requests.withLock { requests in
                for (id, _) in current { requests.finish(id) }
                for id in outdated { requests.putBack(id) }
            }
            for case (let id, .absent) in current { feed.roster?.remove(id) }
            if !current.isEmpty { deliver(.answered(current)) }
        }
    }

    /// Delivers what there is to go on with while Postgres is away; the questions stay open.
    func tellInterim(_ answers: [(ClientID, ClientAnswer)], parking ids: [ClientID]) {
        requests.withLock { $0.park(ids) }
        guard !answers.isEmpty else { return }
        feed.withLock { _ in deliver(.answered(answers)) }
    }
}

/// Milliseconds on the monotonic clock, the same one as the pipeline's: it goes on while the machine sleeps.
func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

/// Microseconds since 1970, UTC, by this machine's clock.
func wallMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
}
