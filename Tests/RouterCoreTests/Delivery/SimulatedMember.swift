import RouterCore

/// One process: the real delivery machine, and around it a pipeline that reads, judges and batches.
struct SimulatedMember {
    struct Batch {
        var partition: Int32
        var rows: [ClientID: [SimulatedClickHouse.Row]] = [:]
        var deadLetters: [Int64] = []
    }

    let number: Int
    let life: UInt64
    var delivery: Delivery
    var generation = 0
    var positions: [Int32: Int64] = [:]
    var batches: [UUID128: Batch] = [:]
    var frozenUntil: Int64 = 0

    init(number: Int, life: UInt64, limits: DeliveryLimits) {
        self.number = number
        self.life = life
        delivery = Delivery(limits: limits, life: UUID128(high: 0x11FE, low: life))
    }
}
