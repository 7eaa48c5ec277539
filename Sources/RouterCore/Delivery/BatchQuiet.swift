/// Whether an insert of an earlier life may still add rows of a batch: asked once for the whole batch, whatever its
/// records are judged now, before any of them becomes a dead letter or is inserted again.
///
/// Why the whole batch: a client that an operator has paused or suspended since has no block in the redo, and its insert
/// may be under way all the same. Were the batch to complete before that insert has landed, a replay would find no row,
/// insert one, and the late one would be the second.
struct BatchQuiet {
    enum Step: Equatable {
        case ask
        /// A question is under way.
        case answer
        case wait(untilMilliseconds: Int64)
        /// Nothing of an earlier life is under way any more.
        case quiet
    }

    private(set) var step = Step.ask
    private var failures = 0
    private var firstRefusalMilliseconds: Int64?

    mutating func asked() { step = .answer }

    mutating func answered(_ answer: QuietAnswer, nowMilliseconds: Int64, limits: DeliveryLimits) {
        switch answer {
        case .quiet:
            step = .quiet
        case .running:
            step = .wait(untilMilliseconds: nowMilliseconds + limits.quietPollMilliseconds)
        case .refused:
            // The server's own time limit on its queries is what remains to go by, from the first question on.
            let since = firstRefusalMilliseconds ?? nowMilliseconds
            firstRefusalMilliseconds = since
            let over = since + limits.maxExecutionMilliseconds + limits.quietPollMilliseconds
            step = nowMilliseconds >= over ? .quiet : .wait(untilMilliseconds: over)
        case .unknown:
            failures += 1
            step = .wait(untilMilliseconds: nowMilliseconds + limits.backoffMilliseconds(failures: failures))
        }
    }

    mutating func timePassed(nowMilliseconds: Int64) {
        if case .wait(let until) = step, until <= nowMilliseconds { step = .ask }
    }
}
