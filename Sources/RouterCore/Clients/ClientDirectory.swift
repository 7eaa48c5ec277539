/// The clients as this process remembers them: the first of the three levels (memory, Redis, Postgres).
///
/// A plain value with no clock and no I/O, owned by the thread that judges events. `find` answers from memory and
/// notes what has to be asked; the owner passes `takeRequests()` to the source and the source's events to `apply`.
///
/// How long an entry is used, counted from the moment at which Postgres held it:
///
///     age          up to fresh        up to 2 × fresh             up to staleLimit        beyond
///     Postgres up  known              stale (a refresh is asked)  miss                    miss
///     Postgres away  known            stale                       stale                   miss
///
/// `fresh` is a minute while changes are heard of as they happen (LISTEN), seconds while they are not. An entry that
/// is known to have changed is a miss at once; only while Postgres cannot be asked is it used as a stale one.
/// What *refuses* an event has to be younger: it makes dead letters. That an id is unknown is believed for a second,
/// and never while it may have changed; a key or a status refuses only as of a second ago: as the listener was last heard
/// of, or as the row was read.
///
/// Ids that no client has are told from the roster, the set of all ids, while that is complete as of a second ago; only
/// without it are they asked for. See `docs/CLIENTS.md`.
public struct ClientDirectory {
    public struct Limits: Sendable {
        /// A change is heard of within a second; a minute bounds what a lost notification could do.
        public var freshMilliseconds: Int64 = 60_000
        /// Without LISTEN, age is the only way to notice a change.
        public var freshWithoutListenMilliseconds: Int64 = 5_000
        /// How long an outage of Postgres is bridged. Longer serves more events; shorter ends a revoked key sooner.
        public var staleLimitMilliseconds: Int64 = 600_000
        /// How old the knowledge may be that refuses an event: a client that was added, activated or given a new key
        /// is to be accepted within a second. It bounds what a connection does that broke without a word.
        public var refusalMilliseconds: Int64 = 1_000
        /// Some 300 bytes an entry: 30 MB at most.
        public var entryLimit = 100_000
        /// Used without a roster only. Some 100 bytes an id: a flood of made-up ids costs 10 MB and pushes out no client.
        public var absentLimit = 100_000
        /// Questions without a final answer. Beyond it a miss is noted when it is found again.
        public var requestLimit = 100_000

        public init() {}
    }

    public enum Finding {
        /// Fresh: judge by it.
        case known(ClientEntry)
        /// Good enough to let an event in, not to refuse one; a refresh has been asked for.
        case stale(ClientEntry)
        /// Postgres has no such client, as of a moment ago.
        case absent
        /// Not known. It has been asked for; find again after the next event of the source.
        case miss
    }

    private struct Remembered {
        var entry: ClientEntry
        /// When Postgres held this, on the owner's monotonic clock.
        var asOfMilliseconds: Int64
        /// The value of `epoch` when it was recorded: an older one means that everything may have changed since.
        var epoch: Int
        var hasChanged = false
    }

    private struct Absence {
        var asOfMilliseconds: Int64
        var epoch: Int
    }

    public let limits: Limits
    private var entries: AgedMap<Remembered>
    private var absences: AgedMap<Absence>
    /// nil until the source has told it, and while it cannot be relied on to be complete.
    private var roster: ClientRoster?
    /// Asked for and without a final answer: what makes a thousand events of an unknown client one question.
    private var asked: Set<ClientID> = []
    private var requests: [ClientID] = []
    private var epoch = 0
    private var isListening = false
    /// Every change committed before this moment has been told; nil while nobody listens.
    private var heardAtMilliseconds: Int64?
    private var isPostgresReachable = true

    /// The client found last and until when it is known for sure: events of one client often come in a row.
    private var lastEntry: ClientEntry?
    private var lastKnownUntilMilliseconds = Int64.min

    /// Look-ups that memory answered (`known`, `stale`, `absent`) and those it did not, since the start.
    public private(set) var hits: UInt64 = 0
    public private(set) var misses: UInt64 = 0

    public init(limits: Limits = Limits()) {
        self.limits = limits
        entries = AgedMap(limit: limits.entryLimit)
        absences = AgedMap(limit: limits.absentLimit)
    }

    public var entryCount: Int { entries.count }
    public var absentCount: Int { absences.count }
    public var openRequestCount: Int { asked.count }
    /// nil without a roster.
    public var rosterCount: Int? { roster?.count }

    // MARK: - Asking

    /// One look-up. `nowMilliseconds` is a monotonic clock, the same one for every call.
    public mutating func find(_ id: ClientID, nowMilliseconds: Int64) -> Finding {
        if nowMilliseconds <= lastKnownUntilMilliseconds, let lastEntry, lastEntry.id == id {
            hits += 1
            return .known(lastEntry)
        }
        if let remembered = entries.value(id) {
            return find(remembered, nowMilliseconds)
        }
        if isAbsent(id, nowMilliseconds) {
            hits += 1
            return .absent
        }
        return miss(id)
    }

    private func isAbsent(_ id: ClientID, _ nowMilliseconds: Int64) -> Bool {
        if let roster, !roster.contains(id) {
            let asOf = max(roster.readAtMilliseconds, heardAtMilliseconds ?? roster.readAtMilliseconds)
            if nowMilliseconds - asOf <= limits.refusalMilliseconds { return true }
        }
        guard let absence = absences.value(id), absence.epoch == epoch else { return false }
        return nowMilliseconds - absence.asOfMilliseconds <= limits.refusalMilliseconds
    }

    /// Whether what is remembered of this client, and not known to have changed, is young enough to refuse an event.
    mutating func mayRefuse(_ id: ClientID, nowMilliseconds: Int64) -> Bool {
        if let heardAtMilliseconds, nowMilliseconds - heardAtMilliseconds <= limits.refusalMilliseconds { return true }
        if let asOf = entries.value(id)?.asOfMilliseconds, nowMilliseconds - asOf <= limits.refusalMilliseconds {
            return true
        }
        // The listener's next word may decide before the answer comes.
        ask(id)
        return false
    }

    private mutating func find(_ remembered: Remembered, _ nowMilliseconds: Int64) -> Finding {
        let entry = remembered.entry
        let age = nowMilliseconds - remembered.asOfMilliseconds
        let fresh = isListening ? limits.freshMilliseconds : limits.freshWithoutListenMilliseconds
        let mayHaveChanged = remembered.hasChanged || remembered.epoch != epoch
        if !mayHaveChanged && age <= fresh {
            hits += 1
            lastEntry = entry
            lastKnownUntilMilliseconds = remembered.asOfMilliseconds + fresh
            return .known(entry)
        }
        let usable = isPostgresReachable ? (mayHaveChanged ? -1 : 2 * fresh) : limits.staleLimitMilliseconds
        guard age <= usable else { return miss(entry.id) }
        hits += 1
        ask(entry.id)
        return .stale(entry)
    }

    private mutating func miss(_ id: ClientID) -> Finding {
        misses += 1
        ask(id)
        return .miss
    }

    private mutating func ask(_ id: ClientID) {
        guard asked.count < limits.requestLimit, asked.insert(id).inserted else { return }
        requests.append(id)
    }

    /// The ids to ask the source for, each once until its final answer has come.
    public mutating func takeRequests() -> [ClientID] {
        guard !requests.isEmpty else { return [] }
        defer { requests = [] }
        return requests
    }

    // MARK: - Being told

    /// Takes in one event of the source.
    public mutating func apply(_ event: ClientSourceEvent, nowMilliseconds: Int64) {
        switch event {
        case .answered(let answers):
            for (id, answer) in answers { record(id, answer, nowMilliseconds: nowMilliseconds) }
        case .changed(let id): invalidate(id)
        case .changedAll: invalidateAll()
        case .listening(let isListening): setListening(isListening)
        case .heard(let at): if isListening { heardAtMilliseconds = at }
        case .roster(let roster): self.roster = roster
        case .postgres(let isReachable, _): setPostgresReachable(isReachable)
        case .problem: break
        }
    }

    public mutating func record(_ id: ClientID, _ answer: ClientAnswer, nowMilliseconds: Int64) {
        forgetLast()
        switch answer {
        case .found(let entry, let age):
            asked.remove(id)
            absences.remove(id)
            entries.set(id, Remembered(entry: entry, asOfMilliseconds: nowMilliseconds - max(0, age), epoch: epoch))
        case .absent:
            asked.remove(id)
            entries.remove(id)
            roster?.remove(id)
            absences.set(id, Absence(asOfMilliseconds: nowMilliseconds, epoch: epoch))
        case .lastKnown(let entry, let age):
            // Never in place of something younger that is here already, and never as a fresh one.
            let asOf = nowMilliseconds - max(0, age)
            if let remembered = entries.value(id), remembered.asOfMilliseconds >= asOf { return }
            entries.set(
                id, Remembered(entry: entry, asOfMilliseconds: asOf, epoch: epoch, hasChanged: true))
        case .unavailable:
            break
        }
    }

    /// The row changed: what is remembered of it is not used again unless Postgres cannot be asked.
    public mutating func invalidate(_ id: ClientID) {
        forgetLast()
        absences.remove(id)
        entries.update(id) { $0.hasChanged = true }
        // It may be a client just added: from now on it is asked for.
        if roster?.insert(id) == false { roster = nil }
    }

    /// Any row may have changed.
    public mutating func invalidateAll() {
        forgetLast()
        absences.removeAll()
        roster = nil
        epoch += 1
    }

    public mutating func setListening(_ isListening: Bool) {
        forgetLast()
        self.isListening = isListening
        heardAtMilliseconds = nil
    }

    public mutating func setPostgresReachable(_ isReachable: Bool) {
        isPostgresReachable = isReachable
    }

    private mutating func forgetLast() {
        lastKnownUntilMilliseconds = .min
    }
}
