import RouterCore

/// One process: the real delivery machine, and around it a pipeline that reads, judges and batches.
struct SimulatedMember {
    struct Batch {
        var partition: Int32
        var rows: [ClientID: [SimulatedClickHouse.Row]] = [:]
        var deadLetters: [Int64] = []
    }

    enum LetterGroup: Hashable {
        case batch(ticket: UInt64, UUID128)
        case rows(ticket: UInt64)
    }

    let number: Int
    let life: UInt64
    var delivery: Delivery
    var generation = 0
    var positions: [Int32: Int64] = [:]
    var batches: [UUID128: Batch] = [:]
    var frozenUntil: Int64 = 0
    // What surrounds the machine in the service, as the same values.
    var memory = MemoryBudget(limitBytes: Self.memoryBytes)
    var sealedBytes = SealedBytes()
    var rereads = RereadQueue()
    var letters = DeadLetterQueue<LetterGroup>()

    /// A few batches fill it.
    static let memoryBytes = 12_000
    static let rowBytes = 200

    init(number: Int, life: UInt64, limits: DeliveryLimits) {
        self.number = number
        self.life = life
        delivery = Delivery(limits: limits, life: UUID128(high: 0x11FE, low: life))
    }

    var held: MemoryBudget.Held {
        MemoryBudget.Held(sealed: sealedBytes.total, deadLetters: letters.bytes, reread: rereads.bytes)
    }

    /// Nothing is under way, and nothing is held.
    var isIdle: Bool {
        delivery.isIdle && delivery.slotsInUse == 0 && letters.isIdle && rereads.isIdle && held.total == 0
    }
}
