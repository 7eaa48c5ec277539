/// The way of one block (one client's rows of one batch) into its table.
///
/// It is a plain value: an event goes in, `step` says what it needs next. Two rules shape it:
/// before rows are inserted *again*, for whatever reason, the table is asked which of them it holds; and rows whose
/// insert has an unknown outcome are neither inserted nor given up before the server is known to be done with them.
struct BlockDelivery {
    /// What the block needs next.
    enum Step: Equatable {
        /// An insert of the piece on top of the stack, as soon as there is a slot.
        case insert
        /// To know whether a query of its batch is still running.
        case askQuiet
        /// To know which of its rows the table holds.
        case readBack
        /// To know that the server itself is well, before its own destination is blamed.
        case confirm
        /// Time to pass; then `Step` after it.
        case wait(untilMilliseconds: Int64, then: Next)
        /// Its refusals to become dead letters.
        case deadLetter
        /// An answer: something is under way.
        case answer
        case settled
    }

    enum Next: Equatable {
        case askQuiet
        case readBack
    }

    /// Under which name the table remembers an insert.
    enum Token: Equatable {
        /// The batch's own.
        case batch
        /// Of the rows within a range of offsets. The ranges come from halving the batch's, so every member that has to
        /// split the same block uses the same names, and one that does not know yet that it is none doubles nothing.
        case range(Range<Int64>)
        /// One that nobody used before; its number is given when the insert starts.
        case fresh(UInt64?)
    }

    /// Rows that go in one insert.
    struct Piece {
        var rows: RowSet
        var token: Token
        /// True when its token may be known to the table already, so that a success alone proves nothing: the table drops
        /// a known token *with different rows* silently.
        var mayRepeatToken: Bool
    }

    private(set) var step: Step
    /// What `step == .answer` waits for. An answer with another ticket belongs to an earlier life of this block: the same
    /// batch can be dropped and recovered by one process.
    private(set) var ticket: UInt64 = 0
    private(set) var pieces: [Piece]
    private(set) var refusals: [(rows: RowSet, refusal: Refusal)] = []
    /// Set once the client's circuit is open: nothing more is inserted.
    private(set) var givingUp: Refusal?
    private(set) var lastMessage = ""
    private(set) var lastFailureMilliseconds: Int64 = 0
    /// The last failure names this client's own table or database.
    private(set) var isOwnFault = false
    /// Rows neither known to be in the table nor refused.
    private(set) var remaining: RowSet

    private var failures = 0
    private var firstFailureMilliseconds: Int64?
    private var hasBeenSent = false
    private var outcomeIsUnknown = false
    private var mustSplit = false
    private var lastInsertMilliseconds: Int64 = 0
    private var splitInsertsLeft: Int
    /// Told by a read-back: the offset of each row. Needed for splitting only.
    private var offsets: [Int64] = []
    private let isRedo: Bool
    private var readBackRefusals = 0

    /// - Parameters:
    ///   - isRedo: an insert of the batch, with its token, may have been sent by a life before.
    ///   - mayBeHeld: the table may hold some of its rows under the ids of other batches.
    ///   - openCircuit: the refusal for its rows when the client's circuit is open already.
    init(rowCount: Int, isRedo: Bool, mayBeHeld: Bool = false, openCircuit: Refusal?, limits: DeliveryLimits) {
        remaining = RowSet(all: rowCount)
        pieces = [Piece(rows: remaining, token: .batch, mayRepeatToken: isRedo)]
        self.isRedo = isRedo
        splitInsertsLeft = limits.maxSplitInserts
        givingUp = openCircuit
        hasBeenSent = isRedo || mayBeHeld
        step = .insert
        if isRedo || mayBeHeld {
            // No insert of a life before is under way any more: the whole batch was asked after (`BatchQuiet`).
            step = .readBack
        } else {
            advance()
        }
    }

    /// It was refused, or got no answer, and nothing has gone right since.
    var isFailing: Bool { firstFailureMilliseconds != nil }

    // MARK: - What happens to it

    mutating func inserting(ticket: UInt64, nowMilliseconds: Int64) {
        step = .answer
        self.ticket = ticket
        hasBeenSent = true
        lastInsertMilliseconds = nowMilliseconds
    }

    mutating func asked(ticket: UInt64) {
        step = .answer
        self.ticket = ticket
    }

    mutating func insertAnswered(_ answer: InsertAnswer, nowMilliseconds: Int64, limits: DeliveryLimits) {
        guard var piece = pieces.popLast() else { return }
        switch answer {
        case .acknowledged where !piece.mayRepeatToken:
            remaining = remaining.subtracting(piece.rows)
            failures = 0
            firstFailureMilliseconds = nil
            advance()
        case .acknowledged:
            failures = 0
            firstFailureMilliseconds = nil
            // Whatever is missing after all goes under a token of its own.
            piece.token = .fresh(nil)
            piece.mayRepeatToken = false
            pieces.append(piece)
            step = .readBack
        case .rowFault(let message):
            lastMessage = message
            mustSplit = true
            piece.mayRepeatToken = true
            pieces.append(piece)
            step = .readBack
        case .refused(let message, let suspicion):
            piece.mayRepeatToken = true
            pieces.append(piece)
            failed(message, nowMilliseconds, then: .readBack, limits)
            isOwnFault = suspicion == .destination
        case .notSent:
            // No failure of anybody's: it goes again once this member's lease is renewed.
            pieces.append(piece)
            step = .wait(
                untilMilliseconds: nowMilliseconds + limits.backoffFirstMilliseconds,
                then: outcomeIsUnknown ? .askQuiet : .readBack)
        case .unknown(let message, let mayHaveReachedServer):
            piece.mayRepeatToken = true
            pieces.append(piece)
            outcomeIsUnknown = outcomeIsUnknown || mayHaveReachedServer
            failed(message, nowMilliseconds, then: outcomeIsUnknown ? .askQuiet : .readBack, limits)
        }
    }

    mutating func quietAnswered(_ answer: QuietAnswer, nowMilliseconds: Int64, limits: DeliveryLimits) {
        switch answer {
        case .quiet:
            outcomeIsUnknown = false
            step = .readBack
        case .running:
            step = .wait(untilMilliseconds: nowMilliseconds + limits.quietPollMilliseconds, then: .askQuiet)
        case .refused:
            // The server's own time limit on the query is what remains to go by.
            let over = lastInsertMilliseconds + limits.maxExecutionMilliseconds + limits.quietPollMilliseconds
            if nowMilliseconds >= over {
                outcomeIsUnknown = false
                step = .readBack
            } else {
                step = .wait(untilMilliseconds: over, then: .askQuiet)
            }
        case .unknown:
            failed("the server did not say which queries are running", nowMilliseconds, then: .askQuiet, limits)
        }
    }

    mutating func readBackAnswered(_ answer: ReadBackAnswer, nowMilliseconds: Int64, limits: DeliveryLimits) {
        switch answer {
        case .held(let rows, let offsets):
            readBackRefusals = 0
            self.offsets = offsets
            remaining = remaining.subtracting(rows)
            goOnAfterReadBack()
        case .missing(let offsets):
            self.offsets = offsets
            goOnAfterReadBack()
        case .refused(let message):
            readBackRefusals += 1
            // A destination that refuses to be read cannot hold its rows back for ever. Giving up unread is safe:
            // an origin that has a row and a dead letter counts as delivered, once.
            if givingUp != nil && readBackRefusals > 2 {
                goOnAfterReadBack()
            } else {
                failed(message, nowMilliseconds, then: .readBack, limits)
            }
        case .unknown:
            failed("the server did not say which rows it holds", nowMilliseconds, then: .readBack, limits)
        }
    }

    mutating func deadLettersSettled() {
        step = .settled
    }

    /// The client's circuit opened: what is not in the table becomes dead letters, after a read-back where anything was sent.
    mutating func circuitOpened(_ refusal: Refusal) {
        guard givingUp == nil else { return }
        givingUp = refusal
        switch step {
        case .insert where !hasBeenSent:
            advance()
        case .insert, .wait, .confirm:
            step = outcomeIsUnknown ? .askQuiet : .readBack
        case .askQuiet, .readBack, .deadLetter, .answer, .settled:
            break
        }
    }

    /// The server was away and is back: its absence is not this destination's fault.
    mutating func serverIsBack(nowMilliseconds: Int64) {
        failures = 0
        firstFailureMilliseconds = nil
        switch step {
        case .wait(_, let next): step = .wait(untilMilliseconds: nowMilliseconds, then: next)
        case .confirm: step = outcomeIsUnknown ? .askQuiet : .readBack
        default: break
        }
    }

    /// Nobody can be blamed: it goes on trying.
    mutating func keepTrying(nowMilliseconds: Int64, limits: DeliveryLimits) {
        guard step == .confirm else { return }
        let pause = limits.backoffMilliseconds(failures: failures)
        step = .wait(untilMilliseconds: nowMilliseconds + pause, then: outcomeIsUnknown ? .askQuiet : .readBack)
    }

    mutating func timePassed(nowMilliseconds: Int64) {
        guard case .wait(let until, let next) = step, until <= nowMilliseconds else { return }
        step = next == .askQuiet ? .askQuiet : .readBack
    }

    /// True when the refusals have lasted long enough to blame this client's destination.
    func hasTimedOut(nowMilliseconds: Int64, limitMilliseconds: Int64) -> Bool {
        guard let first = firstFailureMilliseconds, givingUp == nil else { return false }
        return nowMilliseconds - first >= limitMilliseconds
    }

    mutating func confirm() {
        step = .confirm
    }

    /// Gives the top piece a token that nobody used before, where it needs one.
    mutating func nameTopPiece(_ number: UInt64) {
        guard let last = pieces.indices.last, pieces[last].token == .fresh(nil) else { return }
        pieces[last].token = .fresh(number)
    }

    // MARK: - What it does next

    private mutating func failed(
        _ message: String, _ nowMilliseconds: Int64, then next: Next, _ limits: DeliveryLimits
    ) {
        lastMessage = message
        isOwnFault = false
        failures += 1
        lastFailureMilliseconds = nowMilliseconds
        if firstFailureMilliseconds == nil { firstFailureMilliseconds = nowMilliseconds }
        step = .wait(untilMilliseconds: nowMilliseconds + limits.backoffMilliseconds(failures: failures), then: next)
    }

    private mutating func goOnAfterReadBack() {
        if mustSplit {
            mustSplit = false
            split()
        }
        advance()
    }

    /// The piece on top was refused for its rows: one row is the culprit itself, more are halved.
    private mutating func split() {
        guard let piece = pieces.popLast() else { return }
        let rows = piece.rows.intersection(remaining)
        if rows.isEmpty { return }
        if rows.count == 1 || splitInsertsLeft < 2 {
            refusals.append((rows, Refusal(.destinationRejected, "ClickHouse refused this row: \(lastMessage)")))
            remaining = remaining.subtracting(rows)
            return
        }
        splitInsertsLeft -= 2
        // Names of their own: under the batch's token the second half would be dropped where the first has landed.
        for half in halves(of: rows, within: piece.token).reversed() {
            pieces.append(
                Piece(rows: half.rows, token: .range(half.range), mayRepeatToken: isRedo))
        }
    }

    /// Halves the range of offsets until there are rows on both sides of the middle.
    private func halves(of rows: RowSet, within token: Token) -> [(rows: RowSet, range: Range<Int64>)] {
        let indices = rows.rows
        guard let last = offsets.last, let first = offsets.first else { return [] }
        var range = first..<(last + 1)
        if case .range(let named) = token { range = named }
        while true {
            let middle = range.lowerBound + (range.upperBound - range.lowerBound) / 2
            let lower = indices.filter { offsets[Int($0)] < middle }
            let upper = indices.filter { offsets[Int($0)] >= middle }
            if lower.isEmpty {
                range = middle..<range.upperBound
            } else if upper.isEmpty {
                range = range.lowerBound..<middle
            } else {
                return [
                    (RowSet(lower), range.lowerBound..<middle), (RowSet(upper), middle..<range.upperBound),
                ]
            }
        }
    }

    private mutating func advance() {
        while let top = pieces.last {
            let rows = top.rows.intersection(remaining)
            if !rows.isEmpty {
                pieces[pieces.count - 1].rows = rows
                break
            }
            pieces.removeLast()
        }
        if let givingUp, !remaining.isEmpty {
            refusals.append((remaining, givingUp))
            remaining = RowSet([])
            pieces = []
        }
        if !pieces.isEmpty {
            step = .insert
        } else {
            step = refusals.isEmpty ? .settled : .deadLetter
        }
    }
}
