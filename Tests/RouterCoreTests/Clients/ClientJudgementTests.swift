import RouterCore
import Testing

@Suite struct ClientJudgementTests {
    let right = KeyHash(1, 2, 3, 4)
    let wrong = KeyHash(1, 2, 3, 5)
    let old = KeyHash(9, 9, 9, 9)

    func reason(_ entry: ClientEntry, _ key: KeyHash, _ now: Int64 = 0) -> DeadLetterReason? {
        ClientJudgement.refusal(for: entry, keyHash: key, nowMilliseconds: now)?.reason
    }

    @Test func theKeyIsJudgedBeforeTheStatus() {
        for status in ClientStatus.allCases {
            let entry = clientEntry(1, status: status)
            #expect(reason(entry, wrong) == .invalidAPIKey)
            #expect(reason(entry, right) == (status == .active ? nil : .clientNotActive))
        }
    }

    @Test func everyWordOfTheHashCounts() {
        for key in [KeyHash(0, 2, 3, 4), KeyHash(1, 0, 3, 4), KeyHash(1, 2, 0, 4), KeyHash(1, 2, 3, 0)] {
            #expect(reason(clientEntry(1), key) == .invalidAPIKey)
        }
    }

    @Test func thePreviousKeyIsGoodUntilItsExpiryAndNotAtIt() {
        var entry = clientEntry(1)
        entry.previousKeyHash = old
        entry.previousKeyExpiresAtMilliseconds = 1_000
        #expect(reason(entry, old, 999) == nil)
        #expect(reason(entry, old, 1_000) == .invalidAPIKey)
        #expect(reason(entry, right, 999) == nil)
        #expect(reason(entry, right, 1_000) == nil)
        #expect(reason(entry, wrong, 999) == .invalidAPIKey)
    }

    @Test func withoutAPreviousKeyAnExpiryOpensNothing() {
        var entry = clientEntry(1)
        entry.previousKeyExpiresAtMilliseconds = .max
        #expect(reason(entry, old) == .invalidAPIKey)
    }

    @Test func refusalsHoldNoSecret() {
        let refusal = ClientJudgement.refusal(for: clientEntry(1), keyHash: wrong, nowMilliseconds: 0)
        #expect(refusal?.detail.contains("0000000000000001") == false)
    }

    /// What `judge` says, in a form that can be compared.
    func verdict(
        _ directory: inout ClientDirectory, _ key: KeyHash, _ now: Int64
    ) -> String {
        switch directory.judge(clientID(1), keyHash: key, nowMilliseconds: now, wallMilliseconds: 0) {
        case .accepted(let entry): "accepted into \(entry.databaseName)"
        case .refused(let refusal): refusal.reason.rawValue
        case .wait: "wait"
        }
    }

    @Test func onlyFreshKnowledgeRefuses() {
        var directory = ClientDirectory()
        directory.apply(.listening(true), nowMilliseconds: 0)
        #expect(verdict(&directory, right, 0) == "wait")
        #expect(directory.takeRequests() == [clientID(1)])
        directory.record(clientID(1), .found(clientEntry(1), ageMilliseconds: 0), nowMilliseconds: 0)
        #expect(verdict(&directory, right, 60_000) == "accepted into db")
        #expect(verdict(&directory, wrong, 60_000) == "wait", "the listener has not been heard of")
        directory.apply(.heard(atMilliseconds: 59_000), nowMilliseconds: 60_000)
        #expect(verdict(&directory, wrong, 60_000) == "invalid_api_key")
        #expect(verdict(&directory, right, 60_001) == "accepted into db")
        #expect(verdict(&directory, wrong, 60_001) == "wait", "the key may have been changed since")
        #expect(directory.takeRequests() == [clientID(1)])
        directory.apply(.postgres(reachable: false, "gone"), nowMilliseconds: 0)
        #expect(verdict(&directory, right, 600_000) == "accepted into db")
        #expect(verdict(&directory, wrong, 600_000) == "wait", "an outage makes no dead letters")
    }

    /// A key, a status: what refuses is true as of a second ago, whatever became of the connection since.
    @Test func whatRefusesIsAsOfASecondAgo() {
        var directory = ClientDirectory()
        directory.apply(.listening(true), nowMilliseconds: 0)
        directory.record(clientID(1), .found(clientEntry(1), ageMilliseconds: 0), nowMilliseconds: 0)
        #expect(verdict(&directory, wrong, 1_000) == "invalid_api_key", "read a second ago")
        #expect(verdict(&directory, wrong, 1_001) == "wait")
        #expect(directory.takeRequests() == [clientID(1)], "asked for, unless the listener's next word comes first")
        directory.apply(.heard(atMilliseconds: 5_000), nowMilliseconds: 5_200)
        #expect(verdict(&directory, wrong, 6_000) == "invalid_api_key")
        #expect(verdict(&directory, wrong, 6_001) == "wait")
        #expect(verdict(&directory, right, 6_001) == "accepted into db")
        // A process that was frozen: what lay in its mailbox is no news.
        directory.apply(.heard(atMilliseconds: 6_000), nowMilliseconds: 50_000)
        #expect(verdict(&directory, wrong, 50_000) == "wait")
        // Nobody listens, which is how an outage of Postgres begins: the row's own age counts, and Postgres is asked.
        directory.apply(.listening(false), nowMilliseconds: 50_000)
        directory.record(clientID(1), .found(clientEntry(1), ageMilliseconds: 0), nowMilliseconds: 51_000)
        #expect(verdict(&directory, wrong, 52_000) == "invalid_api_key")
        #expect(directory.takeRequests() == [])
        #expect(verdict(&directory, wrong, 52_001) == "wait")
        #expect(directory.takeRequests() == [clientID(1)])
        #expect(verdict(&directory, right, 52_001) == "accepted into db")
        directory.apply(.listening(true), nowMilliseconds: 60_000)
        #expect(verdict(&directory, wrong, 60_000) == "wait", "what was heard before does not count after a gap")
    }

    @Test func anUnknownClientIsRefused() {
        var directory = ClientDirectory()
        directory.record(clientID(1), .absent, nowMilliseconds: 0)
        #expect(verdict(&directory, right, 1) == "unknown_client")
    }
}
