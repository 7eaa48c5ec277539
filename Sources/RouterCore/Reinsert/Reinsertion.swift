/// What became of one INSERT of a reinsertion.
public enum ReinsertAnswer: Equatable, Sendable {
    case acknowledged
    /// ClickHouse refuses a row of it.
    case rowFault(message: String)
    /// The client's database, table or grants are wrong: trying again changes nothing.
    case destinationFault(message: String)
    /// It may go through later.
    case failed(message: String)
}

/// The way of one client's rows of one partition into its table, by a command and not by the pipeline: rows that the
/// table holds already, by their origin, are never inserted again.
///
/// A plain value: `next` says what to insert; then the table is read back, *whatever* was answered and once nothing of
/// the insert is under way any more, and both go into `settled`. So the table alone decides what is delivered.
public struct Reinsertion: Sendable {
    public struct Piece: Equatable, Sendable {
        public var rows: RowSet
        /// Goes into the token. It is counted up where the table says that it knows the token and does not hold the rows
        /// (they were deleted since): the token would keep them out.
        public var salt: Int
    }

    /// An acknowledged insert that leaves no rows behind, twice: the answers do not come from one table.
    public struct NotVisible: Error, Equatable, Sendable {}

    /// Inserts that go into finding refused rows, at most: a hundred of them stand alone after it.
    public static let maxSplitInserts = 1_000
    /// One for the token that is known, one for the rows.
    static let maxSalt = 2
    /// Tries of one piece where the server has trouble that passes.
    public static let maxFailures = 5

    public private(set) var delivered: RowSet
    public private(set) var refusals: [(rows: RowSet, refusal: Refusal)] = []
    /// Failures in a row; what a pause before the next insert goes by.
    public private(set) var failures = 0
    private var pieces: [Piece]
    private var remaining: RowSet
    private var splitInsertsLeft: Int

    public init(rowCount: Int, maxSplitInserts: Int = Self.maxSplitInserts) {
        remaining = RowSet(all: rowCount)
        delivered = RowSet([])
        pieces = [Piece(rows: remaining, salt: 0)]
        splitInsertsLeft = maxSplitInserts
        trim()
    }

    /// What is to be inserted; nil when all rows are settled.
    public var next: Piece? { pieces.last }

    /// - Parameter held: which of the rows the table holds, read after the answer.
    public mutating func settled(_ answer: ReinsertAnswer, held: RowSet) throws(NotVisible) {
        guard var piece = pieces.popLast() else { return }
        let landed = remaining.intersection(held)
        delivered = RowSet((delivered.rows + landed.rows).sorted())
        remaining = remaining.subtracting(held)
        let rows = piece.rows.intersection(remaining)
        piece.rows = rows
        switch answer {
        case .acknowledged:
            failures = 0
            if !rows.isEmpty {
                piece.salt += 1
                guard piece.salt <= Self.maxSalt else { throw NotVisible() }
                pieces.append(piece)
            }
        case .rowFault(let message):
            failures = 0
            if !rows.isEmpty { split(piece, message) }
        case .destinationFault(let message):
            giveUp(Refusal(.destinationUnavailable, message))
        case .failed(let message):
            failures += 1
            if failures >= Self.maxFailures {
                giveUp(Refusal(.destinationUnavailable, message))
            } else {
                pieces.append(piece)
            }
        }
        trim()
    }

    private mutating func giveUp(_ refusal: Refusal) {
        if !remaining.isEmpty { refusals.append((remaining, refusal)) }
        remaining = RowSet([])
        pieces = []
    }

    private mutating func split(_ piece: Piece, _ message: String) {
        let indices = piece.rows.rows
        if indices.count == 1 || splitInsertsLeft < 2 {
            refusals.append((piece.rows, Refusal(.destinationRejected, "ClickHouse refused this row: \(message)")))
            remaining = remaining.subtracting(piece.rows)
            return
        }
        splitInsertsLeft -= 2
        let middle = indices.count / 2
        pieces.append(Piece(rows: RowSet(Array(indices[middle...])), salt: 0))
        pieces.append(Piece(rows: RowSet(Array(indices[..<middle])), salt: 0))
    }

    /// Drops pieces of which every row is settled.
    private mutating func trim() {
        while let top = pieces.last, top.rows.intersection(remaining).isEmpty { pieces.removeLast() }
        guard let top = pieces.last else { return }
        pieces[pieces.count - 1].rows = top.rows.intersection(remaining)
    }
}
