import RouterCore
import Synchronization
import Testing

@testable import ClientStore

/// The order in which things are told, without threads or servers.
@Suite struct SourceSharedTests {
    final class Told: Sendable {
        let lines = Mutex<[String]>([])

        func take(_ event: ClientSourceEvent) {
            switch event {
            case .answered(let answers): lines.withLock { $0 += answers.map { "answered \($0.0.low)" } }
            case .changed(let id): lines.withLock { $0.append("changed \(id.low)") }
            case .changedAll: lines.withLock { $0.append("changed all") }
            case .listening(let isListening): lines.withLock { $0.append("listening \(isListening)") }
            case .postgres(let isReachable, _): lines.withLock { $0.append("postgres \(isReachable)") }
            case .heard(let at): lines.withLock { $0.append("heard \(at)") }
            case .roster(let roster): lines.withLock { $0.append("roster \(roster.count)") }
            case .problem: lines.withLock { $0.append("problem") }
            }
        }
    }

    let told = Told()
    let one = ClientID(high: 0, low: 1)
    let two = ClientID(high: 0, low: 2)

    func makeShared() -> SourceShared {
        let told = told
        return SourceShared { told.take($0) }
    }

    var lines: [String] { told.lines.withLock { $0 } }

    @Test func anAnswerOvertakenByAChangeIsAskedAgainInsteadOfDelivered() {
        let shared = makeShared()
        shared.request([one, two, one])
        #expect(shared.requests.withLock { $0.take(includingWaiting: true) }.map(\.id) == [one, two])
        let ticket = shared.feed.withLock { $0.trust.ticket }
        shared.tellChanged(one)
        shared.tellAnswers([(one, .absent), (two, .absent)], ticket)
        #expect(lines == ["changed 1", "answered 2"])
        let again = shared.requests.withLock { $0.take(includingWaiting: false) }
        #expect(again.map(\.id) == [one])
        shared.tellAnswers([(one, .absent)], shared.feed.withLock { $0.trust.ticket })
        #expect(lines.last == "answered 1")
        #expect(shared.requests.withLock { $0.count } == 0)
    }

    @Test func beginningToListenForgetsFirstAndOvertakesEveryAnswer() {
        let shared = makeShared()
        shared.request([one])
        let ticket = shared.feed.withLock { $0.trust.ticket }
        _ = shared.requests.withLock { $0.take(includingWaiting: true) }
        shared.tellListening(true, error: nil)
        shared.tellAnswers([(one, .absent)], ticket)
        #expect(lines == ["changed all", "listening true"])
        #expect(shared.requests.withLock { $0.count } == 1)
    }

    @Test func parkedQuestionsWaitForPostgresAndAreNoLongerNew() {
        let shared = makeShared()
        shared.request([one])
        let first = shared.requests.withLock { $0.take(includingWaiting: true) }
        #expect(first.map(\.isNew) == [true])
        shared.tellInterim([(one, .unavailable("away"))], parking: [one])
        shared.request([one, two])
        #expect(shared.requests.withLock { $0.take(includingWaiting: false) }.map(\.id) == [two])
        let second = shared.requests.withLock { $0.take(includingWaiting: true) }
        #expect(second.map(\.id) == [one])
        #expect(second.map(\.isNew) == [false])
    }

    @Test func aBatchIsBoundedAndNothingIsForgotten() {
        let shared = makeShared()
        let ids = (0..<(2 * RequestQueue.batchLimit + 1)).map { ClientID(high: 1, low: UInt64($0)) }
        shared.request(ids)
        var sizes: [Int] = []
        var taken: [ClientID] = []
        for _ in 0..<4 {
            let batch = shared.requests.withLock { $0.take(includingWaiting: true) }
            sizes.append(batch.count)
            taken += batch.map(\.id)
        }
        #expect(sizes == [RequestQueue.batchLimit, RequestQueue.batchLimit, 1, 0])
        #expect(taken == ids)
    }

    @Test func reachabilityIsToldOnceAChange() {
        let shared = makeShared()
        for isReachable in [true, true, false, false, true] { shared.tellPostgres(reachable: isReachable, "") }
        #expect(lines == ["postgres true", "postgres false", "postgres true"])
    }

    @Test func deletionsInRedisAreBounded() {
        let shared = makeShared()
        for number in 0...SourceShared.deletionLimit { shared.tellChanged(ClientID(high: 1, low: UInt64(number))) }
        #expect(shared.feed.withLock { $0.deletions.count } == SourceShared.deletionLimit)
    }

    @Test func aRosterHoldsWhatChangedWhileItWasRead() {
        let shared = makeShared()
        shared.tellListening(true, error: nil)
        let ticket = shared.feed.withLock { $0.trust.ticket }
        shared.tellChanged(two)
        shared.tellRoster([one], readAtMilliseconds: 5, limit: 2, ticket)
        #expect(lines.last == "roster 2")
        #expect(shared.feed.withLock { $0.roster?.contains(two) } == true)
        shared.tellChanged(ClientID(high: 9, low: 9))
        #expect(shared.feed.withLock { $0.roster == nil }, "beyond the limit there is none")
        let early = shared.feed.withLock { $0.trust.ticket }
        shared.tellChangedAll()
        shared.tellRoster([one], readAtMilliseconds: 5, limit: 2, early)
        #expect(lines.last == "changed all", "read before everything changed: of no use")
        #expect(shared.feed.withLock { $0.roster == nil })
    }

    @Test func theListOfAllIDsIsReadStrictly() {
        let text = one.description + two.description
        #expect(ClientRow.roster(text) == [one, two])
        #expect(ClientRow.roster("") == [])
        for wrong in [String(text.dropLast()), text + " ", String(repeating: "x", count: 36)] {
            #expect(ClientRow.roster(wrong) == nil)
        }
    }

    @Test func aPaceAllowsABurstAndThenItsRate() {
        var pace = Pace(burst: 3, intervalMilliseconds: 100)
        var done: [Int64] = []
        for now in 1_000...1_500 as ClosedRange<Int64> where pace.isDue(nowMilliseconds: now) {
            pace.done(nowMilliseconds: now)
            done.append(now)
        }
        #expect(done == [1_000, 1_001, 1_002, 1_100, 1_200, 1_300, 1_400, 1_500])
        pace.done(nowMilliseconds: 100_000, tookMilliseconds: 500)
        #expect(!pace.isDue(nowMilliseconds: 109_799))
        #expect(pace.isDue(nowMilliseconds: 109_800), "what took long may fill a twentieth of the time")
    }

    @Test func backoffGrowsToItsLimitAndEndsWithSuccess() {
        var backoff = Backoff()
        #expect(backoff.isDue(nowMilliseconds: 0))
        var waits: [Int64] = []
        for _ in 0..<70 {
            backoff.failed(nowMilliseconds: 1_000_000)
            waits.append(backoff.dueAtMilliseconds - 1_000_000)
        }
        #expect((50...100).contains(waits[0]))
        #expect(waits.dropFirst(6).allSatisfy { (1_000...2_000).contains($0) })
        #expect(Set(waits.dropFirst(6)).count > 1, "with chance in it")
        backoff.succeeded()
        #expect(backoff.isDue(nowMilliseconds: 0))
    }
}
