import RouterCore
import Testing

@Suite struct RereadQueueTests {
    private let first = UUID128(high: 1, low: 1)
    private let second = UUID128(high: 1, low: 2)

    private func redo(_ batch: UUID128) -> RereadQueue.Job { .redo(ticket: 1, batch: batch, lo: 0, hi: 10) }

    private func letters(_ batch: UUID128) -> RereadQueue.Job {
        .deadLetters(
            ticket: 2, batch: batch, client: first, refusals: [4: Refusal(.destinationRejected, "no")])
    }

    @Test func oneRangeAtATimeInOrder() {
        var queue = RereadQueue()
        queue.add(redo(first), partition: 0, from: 0, to: 10)
        queue.add(letters(second), partition: 1, from: 4, to: 5)
        #expect(queue.start(nowMilliseconds: 0, mayRedo: true)?.job.batch == first)
        #expect(queue.start(nowMilliseconds: 0, mayRedo: true) == nil)
        #expect(queue.isReading(0) && queue.isReading(1) && !queue.isReading(2))
        queue.finished()
        #expect(queue.start(nowMilliseconds: 0, mayRedo: true)?.job.batch == second)
        #expect(queue.bytes > 0)
        queue.finished()
        #expect(queue.isIdle && queue.bytes == 0)
    }

    /// What gives memory back is not held up by what needs some.
    @Test func withoutMemoryDeadLettersGoFirst() {
        var queue = RereadQueue()
        queue.add(redo(first), partition: 0, from: 0, to: 10)
        queue.add(letters(second), partition: 0, from: 4, to: 5)
        #expect(queue.start(nowMilliseconds: 0, mayRedo: false)?.job.batch == second)
        queue.finished()
        #expect(queue.start(nowMilliseconds: 0, mayRedo: false) == nil)
        #expect(queue.start(nowMilliseconds: 0, mayRedo: true)?.job.batch == first)
    }

    @Test func aFailureWaitsAndGoesOnWhereItWas() {
        var queue = RereadQueue()
        queue.add(letters(first), partition: 0, from: 0, to: 10)
        _ = queue.start(nowMilliseconds: 0, mayRedo: true)
        queue.failed(from: 3, nowMilliseconds: 100)
        #expect(queue.start(nowMilliseconds: 100, mayRedo: true) == nil)
        let due = queue.nextDeadlineMilliseconds(after: 100)
        #expect(due != nil && queue.start(nowMilliseconds: due!, mayRedo: true)?.from == 3)
        // Nothing that is due is told as a deadline: it would lie in the past.
        queue.add(redo(second), partition: 0, from: 0, to: 10)
        queue.finished()
        #expect(queue.nextDeadlineMilliseconds(after: due!) == nil)
    }

    @Test func aDroppedBatchIsForgottenWhereverItIs() {
        var queue = RereadQueue()
        queue.add(redo(first), partition: 0, from: 0, to: 10)
        queue.add(letters(first), partition: 0, from: 0, to: 10)
        queue.add(redo(second), partition: 0, from: 0, to: 10)
        _ = queue.start(nowMilliseconds: 0, mayRedo: true)
        #expect(queue.cancel(batch: second) == .init())
        #expect(queue.cancel(batch: first) == .init(isReading: true, letterTickets: [2]))
        #expect(queue.isIdle && queue.bytes == 0)
    }
}
