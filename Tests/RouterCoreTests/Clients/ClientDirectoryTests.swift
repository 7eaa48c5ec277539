import RouterCore
import Testing

/// What `find` said, in a form that can be compared.
enum Found: Equatable {
    case known(String)
    case stale(String)
    case absent
    case miss

    init(_ finding: ClientDirectory.Finding) {
        switch finding {
        case .known(let entry): self = .known(entry.databaseName)
        case .stale(let entry): self = .stale(entry.databaseName)
        case .absent: self = .absent
        case .miss: self = .miss
        }
    }
}

func clientID(_ number: Int) -> ClientID { ClientID(high: 7, low: UInt64(number)) }

func clientEntry(
    _ number: Int, _ database: String = "db", status: ClientStatus = .active, key: UInt64 = 1
) -> ClientEntry {
    ClientEntry(id: clientID(number), status: status, keyHash: KeyHash(key, 2, 3, 4), databaseName: database)
}

@Suite struct ClientDirectoryTests {
    let one = clientID(1)

    /// Listening, Postgres reachable, client 1 as of time 0.
    func directoryWithOne() -> ClientDirectory {
        var directory = ClientDirectory()
        directory.apply(.listening(true), nowMilliseconds: 0)
        directory.record(one, .found(clientEntry(1), ageMilliseconds: 0), nowMilliseconds: 0)
        return directory
    }

    func find(_ directory: inout ClientDirectory, _ now: Int64) -> Found {
        Found(directory.find(one, nowMilliseconds: now))
    }

    @Test func aMissIsAskedOnceHoweverManyEventsWait() {
        var directory = ClientDirectory()
        for _ in 0..<1000 { #expect(Found(directory.find(one, nowMilliseconds: 0)) == .miss) }
        #expect(directory.takeRequests() == [one])
        #expect(Found(directory.find(one, nowMilliseconds: 1)) == .miss)
        #expect(directory.takeRequests() == [])
        directory.record(one, .unavailable("away"), nowMilliseconds: 2)
        #expect(Found(directory.find(one, nowMilliseconds: 3)) == .miss)
        #expect(directory.takeRequests() == [], "not final: the question is still open")
        directory.record(one, .found(clientEntry(1), ageMilliseconds: 0), nowMilliseconds: 4)
        #expect(find(&directory, 5) == .known("db"))
        #expect(directory.openRequestCount == 0)
    }

    @Test func agesAtTheirEdgesWhileListening() {
        var directory = directoryWithOne()
        #expect(find(&directory, 60_000) == .known("db"))
        #expect(directory.takeRequests() == [])
        #expect(find(&directory, 60_001) == .stale("db"))
        #expect(find(&directory, 120_000) == .stale("db"))
        #expect(directory.takeRequests() == [one], "a refresh is asked for once")
        #expect(find(&directory, 120_001) == .miss)
    }

    @Test func agesAtTheirEdgesWithoutListening() {
        var directory = directoryWithOne()
        #expect(find(&directory, 1_000) == .known("db"))
        directory.apply(.listening(false), nowMilliseconds: 1_000)
        #expect(find(&directory, 5_000) == .known("db"))
        #expect(find(&directory, 5_001) == .stale("db"))
        #expect(find(&directory, 10_000) == .stale("db"))
        #expect(find(&directory, 10_001) == .miss)
    }

    @Test func anOutageIsBridgedUpToTheStatedAge() {
        var directory = directoryWithOne()
        directory.apply(.listening(false), nowMilliseconds: 0)
        directory.apply(.postgres(reachable: false, "gone"), nowMilliseconds: 0)
        #expect(find(&directory, 5_001) == .stale("db"))
        #expect(find(&directory, 600_000) == .stale("db"))
        #expect(find(&directory, 600_001) == .miss)
        directory.apply(.postgres(reachable: true, ""), nowMilliseconds: 0)
        #expect(find(&directory, 599_000) == .miss, "back: a row that old is asked for again")
    }

    @Test func theAgeOfAnAnswerCounts() {
        var directory = ClientDirectory()
        directory.apply(.listening(true), nowMilliseconds: 0)
        directory.record(one, .found(clientEntry(1), ageMilliseconds: 59_000), nowMilliseconds: 100_000)
        #expect(find(&directory, 101_000) == .known("db"))
        #expect(find(&directory, 101_001) == .stale("db"))
    }

    @Test func aChangedClientIsNotUsedAgainBeforeItsNewRowCame() {
        var directory = directoryWithOne()
        #expect(find(&directory, 1) == .known("db"))
        directory.apply(.changed(one), nowMilliseconds: 2)
        #expect(find(&directory, 2) == .miss)
        #expect(directory.takeRequests() == [one])
        directory.apply(.answered([(one, .found(clientEntry(1, "new"), ageMilliseconds: 0))]), nowMilliseconds: 3)
        #expect(find(&directory, 4) == .known("new"))
    }

    @Test func aChangedClientIsUsedWhenPostgresCannotBeAsked() {
        var directory = directoryWithOne()
        directory.apply(.changed(one), nowMilliseconds: 1)
        directory.apply(.postgres(reachable: false, "gone"), nowMilliseconds: 2)
        #expect(find(&directory, 3) == .stale("db"))
        #expect(find(&directory, 600_001) == .miss)
    }

    @Test func changedAllForgetsEverythingAtOnce() {
        var directory = directoryWithOne()
        directory.record(clientID(2), .absent, nowMilliseconds: 0)
        directory.apply(.changedAll, nowMilliseconds: 1)
        #expect(find(&directory, 1) == .miss)
        #expect(Found(directory.find(clientID(2), nowMilliseconds: 1)) == .miss)
        directory.record(one, .found(clientEntry(1, "new"), ageMilliseconds: 0), nowMilliseconds: 2)
        #expect(find(&directory, 2) == .known("new"))
    }

    @Test func absenceIsBelievedForASecondAndEndsWithAnInsert() {
        var directory = ClientDirectory()
        directory.apply(.listening(true), nowMilliseconds: 0)
        directory.record(one, .absent, nowMilliseconds: 0)
        #expect(find(&directory, 1_000) == .absent)
        #expect(find(&directory, 1_001) == .miss)
        directory.record(one, .absent, nowMilliseconds: 6_000)
        #expect(find(&directory, 6_001) == .absent)
        directory.apply(.changed(one), nowMilliseconds: 6_002)
        #expect(find(&directory, 6_002) == .miss)
    }

    @Test func aDeletedClientIsAbsent() {
        var directory = directoryWithOne()
        directory.apply(.changed(one), nowMilliseconds: 1)
        directory.record(one, .absent, nowMilliseconds: 2)
        #expect(find(&directory, 3) == .absent)
        directory.apply(.postgres(reachable: false, "gone"), nowMilliseconds: 4)
        #expect(find(&directory, 6_000) == .miss, "its old row is not used either")
    }

    @Test func lastKnownIsStaleAndNeverReplacesYoungerKnowledge() {
        var directory = ClientDirectory()
        #expect(find(&directory, 0) == .miss)
        directory.apply(.postgres(reachable: false, "gone"), nowMilliseconds: 0)
        directory.record(one, .lastKnown(clientEntry(1, "older"), ageMilliseconds: 300_000), nowMilliseconds: 0)
        #expect(find(&directory, 0) == .stale("older"))
        directory.record(one, .lastKnown(clientEntry(1, "younger"), ageMilliseconds: 1_000), nowMilliseconds: 0)
        #expect(find(&directory, 0) == .stale("younger"))
        directory.record(one, .lastKnown(clientEntry(1, "older"), ageMilliseconds: 300_000), nowMilliseconds: 0)
        #expect(find(&directory, 0) == .stale("younger"))
        directory.apply(.postgres(reachable: true, ""), nowMilliseconds: 0)
        #expect(find(&directory, 0) == .miss, "while Postgres answers, it is no answer")
    }

    @Test func junkPushesOutJunkAndNoClient() {
        var limits = ClientDirectory.Limits()
        limits.absentLimit = 100
        limits.entryLimit = 10
        var directory = ClientDirectory(limits: limits)
        directory.apply(.listening(true), nowMilliseconds: 0)
        directory.record(one, .found(clientEntry(1), ageMilliseconds: 0), nowMilliseconds: 0)
        for number in 1000..<11_000 { directory.record(clientID(number), .absent, nowMilliseconds: 1) }
        #expect(directory.absentCount == 100)
        #expect(find(&directory, 2) == .known("db"))
        #expect(Found(directory.find(clientID(10_900), nowMilliseconds: 2)) == .absent, "the youngest 100 stay")
        #expect(Found(directory.find(clientID(10_899), nowMilliseconds: 2)) == .miss)
        for number in 2..<12 {
            directory.record(clientID(number), .found(clientEntry(number), ageMilliseconds: 0), nowMilliseconds: 3)
        }
        #expect(directory.entryCount == 10)
        #expect(find(&directory, 4) == .miss, "the one recorded first is out")
        #expect(Found(directory.find(clientID(2), nowMilliseconds: 4)) == .known("db"))
    }

    @Test func aRefreshedClientCountsAsYoung() {
        var limits = ClientDirectory.Limits()
        limits.entryLimit = 3
        var directory = ClientDirectory(limits: limits)
        func record(_ number: Int) {
            directory.record(clientID(number), .found(clientEntry(number), ageMilliseconds: 0), nowMilliseconds: 0)
        }
        for number in [1, 2, 3, 1, 4] { record(number) }
        let kept = (1...4).map { Found(directory.find(clientID($0), nowMilliseconds: 1)) }
        #expect(kept == [.known("db"), .miss, .known("db"), .known("db")])
        // Far more refreshes than there are clients: the order of ages is kept, and does not grow without end.
        for _ in 0..<1_000 { for number in [1, 3, 4] { record(number) } }
        record(5)
        #expect(Found(directory.find(clientID(1), nowMilliseconds: 1)) == .miss)
        #expect(Found(directory.find(clientID(3), nowMilliseconds: 1)) == .known("db"))
    }

    @Test func openQuestionsAreBoundedAndNotedLater() {
        var limits = ClientDirectory.Limits()
        limits.requestLimit = 3
        var directory = ClientDirectory(limits: limits)
        for number in 1...5 { _ = directory.find(clientID(number), nowMilliseconds: 0) }
        #expect(directory.takeRequests() == [1, 2, 3].map(clientID))
        directory.record(clientID(1), .absent, nowMilliseconds: 0)
        _ = directory.find(clientID(5), nowMilliseconds: 0)
        _ = directory.find(clientID(4), nowMilliseconds: 0)
        #expect(directory.takeRequests() == [clientID(5)])
    }

    @Test func lookupsAreCounted() {
        var directory = directoryWithOne()
        for _ in 0..<5 { _ = find(&directory, 1) }
        _ = directory.find(clientID(2), nowMilliseconds: 1)
        #expect(directory.hits == 5)
        #expect(directory.misses == 1)
    }
}
