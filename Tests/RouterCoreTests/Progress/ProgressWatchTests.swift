import RouterCore
import Testing

@Suite struct ProgressWatchTests {
    private func sight(
        _ position: Int64 = 0, committed: Int64 = 0, movements: Int = 0, hasWork: Bool = true,
        _ reason: WaitReason = .memory
    ) -> ProgressWatch.Sight {
        ProgressWatch.Sight(
            position: position, committedOffset: committed, movements: movements, hasWork: hasWork, waitingFor: reason)
    }

    private let limit = ProgressWatch.stallMilliseconds

    @Test func workThatDoesNotMoveIsToldOnceWhenItBeginsAndOnceWhenItEnds() {
        var watch = ProgressWatch()
        var changes: [ProgressWatch.Change] = []
        for now in stride(from: Int64(0), through: 60_000, by: 200) {
            if let change = watch.look(1, sight(), nowMilliseconds: now) { changes.append(change) }
        }
        #expect(changes == [.began(partition: 1, waitingFor: .memory, milliseconds: limit)])
        #expect(watch.progress(1, nowMilliseconds: 60_000)?.stalledMilliseconds == 60_000)
        #expect(watch.progress(1, nowMilliseconds: 60_000)?.waitingFor == .memory)
        let end = watch.look(1, sight(1), nowMilliseconds: 60_200)
        #expect(end == .ended(partition: 1, waitedFor: .memory, milliseconds: 60_200))
        #expect(watch.progress(1, nowMilliseconds: 60_200)?.stalledMilliseconds == 0)
    }

    @Test(arguments: [0, 1, 2]) func anythingThatHappensIsMovement(_ which: Int) {
        var watch = ProgressWatch()
        var number: Int64 = 0
        for now in stride(from: Int64(0), through: 60_000, by: 200) {
            if now % 4_000 == 0 { number += 1 }
            let seen =
                switch which {
                case 0: sight(number)
                case 1: sight(committed: number)
                default: sight(movements: Int(number))
                }
            #expect(watch.look(1, seen, nowMilliseconds: now) == nil)
            #expect(watch.progress(1, nowMilliseconds: now)?.stalledMilliseconds == 0)
        }
    }

    @Test func withoutWorkNothingStandsStillAndTheClockStartsWithTheWork() {
        var watch = ProgressWatch()
        for now in stride(from: Int64(0), through: 60_000, by: 200) {
            #expect(watch.look(1, sight(hasWork: false), nowMilliseconds: now) == nil)
        }
        #expect(watch.progress(1, nowMilliseconds: 60_000)?.waitingFor == nil)
        #expect(watch.look(1, sight(), nowMilliseconds: 60_200) == nil)
        #expect(watch.look(1, sight(), nowMilliseconds: 60_200 + limit - 1) == nil)
        #expect(watch.look(1, sight(), nowMilliseconds: 60_200 + limit) != nil)
        // It was delivered by somebody's skipping it: that ends a stall, too.
        #expect(watch.look(1, sight(hasWork: false), nowMilliseconds: 70_000) != nil)
    }

    @Test func partitionsAreWatchedEachForItself() {
        var watch = ProgressWatch()
        for now in stride(from: Int64(0), through: 10_000, by: 200) {
            _ = watch.look(1, sight(), nowMilliseconds: now)
            _ = watch.look(2, sight(now), nowMilliseconds: now)
        }
        #expect(watch.progress(1, nowMilliseconds: 10_000)!.stalledMilliseconds > 0)
        #expect(watch.progress(2, nowMilliseconds: 10_000)!.stalledMilliseconds == 0)
        watch.forget(1)
        #expect(watch.progress(1, nowMilliseconds: 10_000) == nil)
    }
}
