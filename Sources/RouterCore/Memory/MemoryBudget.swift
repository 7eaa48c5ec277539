/// One budget for everything that is held: at the limit reading pauses, and nothing is dropped.
///
/// It is told anew what each holder has, and keeps no sum of its own that could drift from it.
public struct MemoryBudget: Sendable {
    /// Bytes, by who holds them.
    public struct Held: Sendable, Equatable {
        /// Open batches, and records that wait for their client.
        public var open = 0
        /// Batches on their way.
        public var sealed = 0
        /// Dead letters that Kafka has not acknowledged.
        public var deadLetters = 0
        /// What is being read a second time.
        public var reread = 0

        public init(open: Int = 0, sealed: Int = 0, deadLetters: Int = 0, reread: Int = 0) {
            self.open = open
            self.sealed = sealed
            self.deadLetters = deadLetters
            self.reread = reread
        }

        public var total: Int { open + sealed + deadLetters + reread }
    }

    /// Above this share of the limit partitions are paused and everything open is sealed …
    public static let pauseShare = 0.8
    /// … and below this they go on. The distance keeps them from stopping and going with every batch.
    public static let resumeShare = 0.5

    public let limitBytes: Int
    public private(set) var held = Held()
    public private(set) var isOver = false

    public init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    /// - Returns: true when reading has to pause now and went on before, or the other way round.
    public mutating func update(_ new: Held) -> Bool {
        held = new
        let was = isOver
        let share = isOver ? Self.resumeShare : Self.pauseShare
        isOver = Double(new.total) > Double(limitBytes) * share
        return isOver != was
    }

    /// Whether a batch of an earlier life may be read again now. Over the limit it waits for what is on its way to make
    /// room; where nothing is, it is what everything else waits for (a full chain with this batch at its front), and goes.
    public var mayRedo: Bool { !isOver || held.sealed + held.deadLetters == 0 }
}

/// The bytes of batches on their way: each is given back once, whatever becomes of its batch.
public struct SealedBytes: Sendable {
    private struct Batch {
        var deadLetters: Int
        var blocks: [ClientID: Int]

        var total: Int { blocks.values.reduce(deadLetters, +) }
    }

    private var batches: [UUID128: Batch] = [:]
    public private(set) var total = 0

    public init() {}

    public var isEmpty: Bool { batches.isEmpty }

    public mutating func keep(_ id: UUID128, deadLetterBytes: Int, blockBytes: [ClientID: Int]) {
        forget(id)
        let batch = Batch(deadLetters: deadLetterBytes, blocks: blockBytes)
        batches[id] = batch
        total += batch.total
    }

    /// They are counted where they wait for Kafka from now on.
    public mutating func deadLettersHandedOver(_ id: UUID128) {
        total -= batches[id]?.deadLetters ?? 0
        batches[id]?.deadLetters = 0
    }

    public mutating func blockSettled(_ id: UUID128, _ client: ClientID) {
        total -= batches[id]?.blocks.removeValue(forKey: client) ?? 0
    }

    public mutating func forget(_ id: UUID128) {
        total -= batches.removeValue(forKey: id)?.total ?? 0
    }
}
