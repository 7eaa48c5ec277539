/// What the world tells the delivery machine. Every answer carries the ticket of the action that asked.
public enum DeliveryEvent: Sendable {
    /// A partition is this member's; `state` is what the broker has committed for it, read after the assignment.
    case assigned(partition: Int32, state: PartitionState)
    /// A partition is this member's, and starts at a state that the broker does not hold yet: it is committed first.
    case takenOver(partition: Int32, state: PartitionState)
    /// A partition is to be given up: finish what is sealed, or abandon it, then `.release` says so.
    case revoking(partitions: [Int32])
    /// A partition is somebody else's already: nothing of it is valid.
    case lost(partitions: [Int32])
    /// A commit was answered.
    case committed(partition: Int32, ticket: UInt64, answer: CommitAnswer)
    /// The records of a batch to be redone were read and judged again.
    case redoRead(ticket: UInt64, batch: UUID128, content: BatchContent)
    /// Every dead letter of the batch is acknowledged by Kafka.
    case deadLettersSettled(ticket: UInt64, batch: UUID128)
    case insertAnswered(ticket: UInt64, answer: InsertAnswer)
    /// Of the whole batch, whatever the client.
    case batchQuietAnswered(ticket: UInt64, answer: QuietAnswer)
    case quietAnswered(ticket: UInt64, answer: QuietAnswer)
    case readBackAnswered(ticket: UInt64, answer: ReadBackAnswer)
    case rowsDeadLettered(ticket: UInt64)
    /// Whether the server answers at all.
    case serverProbed(ticket: UInt64, isWell: Bool)
    /// The neutral write, which has nothing to do with any client.
    case writeProbed(ticket: UInt64, answer: WriteProbeAnswer)
    /// A deadline that `nextDeadlineMilliseconds` named has passed (or may have).
    case tick
}

/// What a batch consists of, once its records are judged. The bytes stay with the caller.
public struct BatchContent: Sendable {
    public var deadLetterCount: Int
    /// Each client's number of rows, at least one.
    public var blocks: [(client: ClientID, rowCount: Int)]

    public init(deadLetterCount: Int, blocks: [(client: ClientID, rowCount: Int)]) {
        self.deadLetterCount = deadLetterCount
        self.blocks = blocks
    }
}

public enum CommitAnswer: Sendable, Equatable {
    case durable
    /// Nothing is known to be wrong with this member: commit again (27 rebalance in progress, a coordinator that moves, time-outs).
    case retry
    /// 22 or 25: this member missed a generation. Nothing it holds is valid.
    case generationMissed
}

public enum InsertAnswer: Sendable {
    case acknowledged
    /// The server's own exception, which says that rows of this insert are at fault.
    case rowFault(message: String)
    /// The server's own exception, which says that the destination or the server cannot take it now.
    case refused(message: String, suspicion: Suspicion)
    /// No answer that can be believed: it may have been inserted, or may still be.
    case unknown(message: String, mayHaveReachedServer: Bool)
    /// It was not sent: its lease was over before there was a connection for it. That is nobody's fault.
    case notSent(message: String)
}

/// Whom a refused insert makes suspect; `ServerVerdict` tells it from the code.
public enum Suspicion: Sendable, Equatable {
    /// This client's table or database, and nobody else's.
    case destination
    /// The server or the destination. `slowDown`: it says that it has too much to do.
    case serverOrDestination(slowDown: Bool)
}

public enum WriteProbeAnswer: Sendable, Equatable {
    /// The server takes writes.
    case taken
    /// It answers, and takes none.
    case refused(message: String, slowDown: Bool)
    /// There is no table to write into, so nothing is known and nobody is blamed.
    case missing
    /// No answer that can be believed.
    case unknown
}

public enum QuietAnswer: Sendable {
    /// No query of the batch is running.
    case quiet
    case running
    /// The server answers, but not this question (no grant on `system.processes`).
    case refused
    case unknown
}

public enum ReadBackAnswer: Sendable {
    /// The rows of the block that the table holds; `offsets` are those of all the block's rows, ascending.
    case held(RowSet, offsets: [Int64])
    /// There is no such table or database, so it holds nothing.
    case missing(offsets: [Int64])
    case refused(message: String)
    case unknown
}

/// Which rows a read-back looks for.
public enum ReadBackScope: Sendable, Equatable {
    /// Those of the batch's own id: there can be no others.
    case batch
    /// Those of the same origin under any batch's id. Inserts that have been running since before
    /// `sinceMilliseconds` may still add some.
    case origin(sinceMilliseconds: Int64)
}

/// What the delivery machine asks the world to do.
public enum DeliveryAction: Sendable {
    case commit(partition: Int32, state: PartitionState, ticket: UInt64)
    /// Consuming goes on at this offset.
    case start(partition: Int32, offset: Int64)
    /// Read and judge [lo, hi) again.
    case redo(ticket: UInt64, partition: Int32, batch: UUID128, lo: Int64, hi: Int64)
    /// Produce the batch's dead letters and wait for every acknowledgement.
    case settleDeadLetters(ticket: UInt64, batch: UUID128)
    /// `startBeforeMilliseconds`: past it the member's lease is over and the insert must not be sent any more.
    case insert(
        ticket: UInt64, batch: UUID128, client: ClientID, rows: RowSet, token: String, startBeforeMilliseconds: Int64)
    /// Is any insert of an earlier life under way that may add rows of this batch, whoever the client?
    case askBatchQuiet(ticket: UInt64, batch: UUID128, scope: ReadBackScope)
    case askQuiet(ticket: UInt64, batch: UUID128, client: ClientID)
    case readBack(ticket: UInt64, batch: UUID128, client: ClientID, scope: ReadBackScope)
    /// Rows that will not be inserted: their records become dead letters.
    case deadLetterRows(ticket: UInt64, batch: UUID128, client: ClientID, refusals: [(rows: RowSet, refusal: Refusal)])
    case probeServer(ticket: UInt64)
    case probeWrite(ticket: UInt64)
    /// Every row of the block is in its table, but for `refusedCount` that became dead letters; its memory can go.
    case blockSettled(batch: UUID128, client: ClientID, refusedCount: Int)
    /// Every row and dead letter of the batch is acknowledged; its memory can go.
    case completed(batch: UUID128)
    /// The batch is not this member's any more; its memory can go, its answers do not matter.
    case dropped(batch: UUID128)
    /// The rebalance can go on: nothing of this partition is under way or will be committed.
    case release(partition: Int32)
    /// This member missed a generation: everything is dropped; read the committed state of what is still assigned, and say `.assigned`.
    case startOver(partitions: [Int32])
    case circuitOpened(client: ClientID, message: String)
    case circuitClosed(client: ClientID)
    /// Everything waits: the server answers nothing, or takes no inserts, whoever the client.
    case serverBlamed(ServerFault)
    case serverBack
    /// Nobody can be blamed before `router provision` has made the table of the write probe. Told once.
    case writeProbeMissing
}

/// Why ClickHouse itself is to blame, in words for a person.
public enum ServerFault: Sendable, Equatable {
    /// It answers nothing.
    case away
    /// It answers, and refuses the neutral write.
    case refusesWrites(message: String)
    /// It takes the neutral write, and most of the clients that were active lately fail.
    case mostClientsFail(message: String)

    public var explanation: String {
        switch self {
        case .away: "ClickHouse does not answer"
        case .refusesWrites(let message): "ClickHouse takes no inserts: \(message)"
        case .mostClientsFail(let message): "ClickHouse refuses the inserts of most clients: \(message)"
        }
    }
}
