import RouterCore

/// A batch while it is put together: one block for each client, and the dead letters. It knows neither its id nor its end.
final class BatchAssembly {
    final class OpenBlock {
        let rows = EventBlock()
        let database: String
        /// How many records arrived at Kafka in the same millisecond: what the latency is measured from, without a
        /// number for each record.
        var arrivals: [(milliseconds: Int64, count: Int)] = []

        init(database: String) {
            self.database = database
        }
    }

    private(set) var blocks: [ClientID: OpenBlock] = [:]
    private(set) var deadLetters: [DeadLetter] = []
    private(set) var recordCount = 0
    /// What it occupies in memory, counted while it grows: buffers grow by doubling, so somewhat more than was written.
    private(set) var bytes = 0
    private var lastClient: ClientID?
    private var lastBlock: OpenBlock?

    var isEmpty: Bool { recordCount == 0 }

    /// The fixed columns of a row, and the share of the block in each row of it.
    private static let rowOverheadBytes = 64

    func append(_ event: EventFields, client: ClientEntry, receivedAtMilliseconds: Int64, offset: Int64) {
        let block = block(of: client)
        block.rows.append(event, receivedAtMilliseconds: receivedAtMilliseconds, offset: offset)
        if let last = block.arrivals.indices.last, block.arrivals[last].milliseconds == receivedAtMilliseconds {
            block.arrivals[last].count += 1
        } else {
            block.arrivals.append((receivedAtMilliseconds, 1))
        }
        recordCount += 1
        let written =
            event.eventName.count + event.userID.count + event.sessionID.count + event.eventProperties.count
            + event.extraFields.count
        bytes += written + written / 2 + Self.rowOverheadBytes
    }

    func append(_ letter: DeadLetter) {
        deadLetters.append(letter)
        recordCount += 1
        bytes += letter.bodyBytes
    }

    private func block(of client: ClientEntry) -> OpenBlock {
        if let lastBlock, lastClient == client.id { return lastBlock }
        let block: OpenBlock
        if let known = blocks[client.id] {
            block = known
        } else {
            block = OpenBlock(database: client.databaseName)
            blocks[client.id] = block
        }
        lastClient = client.id
        lastBlock = block
        return block
    }

    /// Hands everything over to a sealed batch.
    func seal(id: UUID128, topic: String, partition: Int32, lo: Int64, hi: Int64, wallMilliseconds: Int64)
        -> SealedBatch
    {
        let batch = SealedBatch(id: id, partition: partition, lo: lo, hi: hi, deadLetters: deadLetters)
        for (client, open) in blocks {
            let block = open.rows.seal(
                clientID: client, batchID: id, topic: topic, partition: partition,
                ingestedAtMilliseconds: wallMilliseconds)
            batch.blocks[client] = SealedBatch.Block(rows: block, database: open.database, arrivals: open.arrivals)
        }
        return batch
    }
}

/// The bytes of a batch on its way. The delivery machine knows it by its id and decides; this holds what it decides about.
final class SealedBatch {
    struct Block {
        var rows: SealedBlock
        var database: String
        var arrivals: [(milliseconds: Int64, count: Int)]
    }

    let id: UUID128
    let partition: Int32
    let lo: Int64
    let hi: Int64
    var deadLetters: [DeadLetter]
    var blocks: [ClientID: Block] = [:]
    var deadLetterBytes: Int { deadLetters.reduce(0) { $0 + $1.bodyBytes } }

    init(id: UUID128, partition: Int32, lo: Int64, hi: Int64, deadLetters: [DeadLetter]) {
        self.id = id
        self.partition = partition
        self.lo = lo
        self.hi = hi
        self.deadLetters = deadLetters
    }

    var content: BatchContent {
        BatchContent(
            deadLetterCount: deadLetters.count,
            blocks: blocks.map { (client: $0.key, rowCount: $0.value.rows.rowCount) })
    }
}
