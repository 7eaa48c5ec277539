import RouterCore
import Testing

/// The set of all ids: what it lets the directory say without asking, and when it may not.
@Suite struct ClientRosterTests {
    let one = clientID(1)
    let two = clientID(2)
    let junk = clientID(99)

    /// Listening, a roster of client 1 read at 0, heard of at 0.
    func directory(limit: Int = 10) -> ClientDirectory {
        var directory = ClientDirectory()
        directory.apply(.listening(true), nowMilliseconds: 0)
        tell(&directory, [one], at: 0, limit: limit)
        directory.apply(.heard(atMilliseconds: 0), nowMilliseconds: 0)
        return directory
    }

    func tell(_ directory: inout ClientDirectory, _ ids: Set<ClientID>, at: Int64, limit: Int = 10) {
        guard let roster = ClientRoster(ids, readAtMilliseconds: at, limit: limit) else {
            Issue.record("no roster of \(ids.count)")
            return
        }
        directory.apply(.roster(roster), nowMilliseconds: at)
    }

    func find(_ directory: inout ClientDirectory, _ id: ClientID, _ now: Int64) -> Found {
        Found(directory.find(id, nowMilliseconds: now))
    }

    @Test func aFloodIsRefusedFromMemoryAndLeavesNoTrace() {
        var directory = directory()
        for number in 1_000..<51_000 { #expect(find(&directory, clientID(number), 500) == .absent) }
        #expect(directory.takeRequests() == [])
        #expect(directory.absentCount == 0)
        #expect(directory.openRequestCount == 0)
        #expect(find(&directory, one, 500) == .miss, "who is on it is asked for")
        #expect(directory.takeRequests() == [one])
    }

    @Test func itIsBelievedForASecondAfterTheListenersLastWord() {
        var directory = directory()
        #expect(find(&directory, junk, 1_000) == .absent)
        #expect(find(&directory, junk, 1_001) == .miss)
        #expect(directory.takeRequests() == [junk], "so that an answer comes even if the listener stays silent")
        directory.apply(.heard(atMilliseconds: 900), nowMilliseconds: 1_001)
        #expect(find(&directory, junk, 1_900) == .absent)
        #expect(find(&directory, junk, 1_901) == .miss)
    }

    @Test func whoeverChangesIsOnItFromThenOn() {
        var directory = directory()
        #expect(find(&directory, two, 1) == .absent)
        directory.apply(.changed(two), nowMilliseconds: 2)
        #expect(find(&directory, two, 2) == .miss)
        #expect(directory.takeRequests() == [two])
        directory.record(two, .found(clientEntry(2), ageMilliseconds: 0), nowMilliseconds: 3)
        #expect(find(&directory, two, 3) == .known("db"))
        directory.apply(.changed(two), nowMilliseconds: 4)
        directory.record(two, .absent, nowMilliseconds: 5)
        #expect(directory.rosterCount == 1, "deleted: off it again")
        directory.apply(.heard(atMilliseconds: 9_000), nowMilliseconds: 9_000)
        #expect(find(&directory, two, 9_001) == .absent)
    }

    @Test func itIsGoneWhenEverythingMayHaveChanged() {
        var directory = directory()
        directory.apply(.changedAll, nowMilliseconds: 1)
        #expect(directory.rosterCount == nil)
        #expect(find(&directory, junk, 1) == .miss)
        #expect(directory.takeRequests() == [junk])
        tell(&directory, [one], at: 2)
        #expect(find(&directory, junk, 3) == .absent)
    }

    @Test func whileNobodyListensItIsGoodForASecondAfterItWasRead() {
        var directory = directory()
        directory.apply(.heard(atMilliseconds: 10_000), nowMilliseconds: 10_000)
        #expect(find(&directory, junk, 10_100) == .absent)
        directory.apply(.listening(false), nowMilliseconds: 10_200)
        #expect(find(&directory, junk, 10_200) == .miss, "it was read at 0, and nobody hears of changes any more")
        #expect(directory.takeRequests() == [junk])
        tell(&directory, [one], at: 10_300)
        #expect(find(&directory, junk, 11_300) == .absent)
        #expect(find(&directory, junk, 11_301) == .miss)
        directory.apply(.heard(atMilliseconds: 11_300), nowMilliseconds: 11_301)
        #expect(find(&directory, junk, 11_301) == .miss, "a late word of a listener that is gone")
    }

    @Test func anOutageMakesNobodyUnknown() {
        var directory = directory()
        directory.apply(.postgres(reachable: false, "gone"), nowMilliseconds: 500)
        directory.apply(.listening(false), nowMilliseconds: 500)
        for now in [1_001, 5_000, 600_000, 86_400_000] as [Int64] { #expect(find(&directory, junk, now) == .miss) }
    }

    @Test func itsSizeIsBoundedAtTheEdge() {
        #expect(ClientRoster(Set((1...10).map(clientID)), readAtMilliseconds: 0, limit: 10)?.count == 10)
        #expect(ClientRoster(Set((1...11).map(clientID)), readAtMilliseconds: 0, limit: 10) == nil)
        var directory = directory(limit: 2)
        directory.apply(.changed(two), nowMilliseconds: 1)
        #expect(directory.rosterCount == 2)
        directory.apply(.changed(two), nowMilliseconds: 1)
        #expect(directory.rosterCount == 2, "the same one again")
        directory.apply(.changed(clientID(3)), nowMilliseconds: 1)
        #expect(directory.rosterCount == nil, "one too many: none at all, and ids are asked for again")
        #expect(find(&directory, junk, 1) == .miss)
        #expect(directory.takeRequests() == [junk])
    }

    /// Random changes of a table and a directory that hears of them late. Whoever it calls absent was not in the table at
    /// some moment of the last second.
    @Test func absentIsAlwaysTrueAsOfASecondAgo() {
        for seed in 0..<200 as Range<UInt64> { run(seed: seed) }
    }

    private func run(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var directory = ClientDirectory()
        var table: Set<Int> = []
        /// When each client was last seen not to be in the table.
        var absentUntil: [Int: Int64] = [:]
        /// Notifications on their way, in order; nil is the answer to a ping.
        var inbox: [(id: Int?, at: Int64)] = []
        var isListening = false
        var reading: (ids: Set<ClientID>, at: Int64, changed: Set<ClientID>)?
        var now: Int64 = 1_000
        for _ in 0..<500 {
            now += [0, 1, 100, 400, 900].randomElement(using: &random) ?? 0
            for number in 1...6 where !table.contains(number) { absentUntil[number] = now }
            let number = Int.random(in: 1...6, using: &random)
            switch Int.random(in: 0..<14, using: &random) {
            case 0, 1:
                if table.remove(number) == nil { table.insert(number) }
                if isListening { inbox.append((number, now)) }
            case 2:
                isListening.toggle()
                inbox = []
                if isListening {
                    directory.apply(.changedAll, nowMilliseconds: now)
                    reading = nil
                }
                directory.apply(.listening(isListening), nowMilliseconds: now)
            case 3, 4:
                if isListening { inbox.append((nil, now)) }
            case 5, 6, 7:
                guard !inbox.isEmpty else { continue }
                let word = inbox.removeFirst()
                if let id = word.id {
                    directory.apply(.changed(clientID(id)), nowMilliseconds: now)
                    reading?.changed.insert(clientID(id))
                } else {
                    directory.apply(.heard(atMilliseconds: word.at), nowMilliseconds: now)
                }
            case 8:
                reading = (Set(table.map(clientID)), now, [])
            case 9:
                guard let read = reading,
                    let roster = ClientRoster(read.ids.union(read.changed), readAtMilliseconds: read.at, limit: 10)
                else { continue }
                directory.apply(.roster(roster), nowMilliseconds: now)
                reading = nil
            default:
                guard find(&directory, clientID(number), now) == .absent else { continue }
                #expect(now - (absentUntil[number] ?? .min / 2) <= 1_000, "seed \(seed): client \(number) at \(now)")
            }
        }
    }
}
