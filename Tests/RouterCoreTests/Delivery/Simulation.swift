import RouterCore

/// Ways to break the protocol on purpose: the simulation has to see every one of them.
enum Mutation: CaseIterable {
    case noIntent, noRedo, noReadBack, deadLettersDropped, ignoresMissedGeneration, forgetsOrigins
    /// A redo goes on while an insert of the earlier life is under way.
    case noBatchQuiet
    // Liveness:
    case memoryNotGivenBack, rereadNotGivenBack, slotLeaked, writeProbeLies, deadLetterNeverSmaller
}

/// Two members, two partitions, one group, one ClickHouse, and everything that goes wrong between them.
///
/// Events run in the order of their time; every choice comes from one seeded generator.
struct Simulation {
    static let partitions: [Int32] = [0, 1]
    static let clients = (1...3).map { UUID128(high: 0, low: UInt64($0)) }
    static let sessionTimeoutMilliseconds: Int64 = 3_000

    struct Record {
        var client: ClientID
        var month: Int
        var isPoison: Bool
        /// Judged by the moment: now and then a client is suspended.
        var isAlwaysBad: Bool
    }
    typealias Happening = (inout Simulation) -> Void

    var random: SeededGenerator
    let mutation: Mutation?
    let limits: DeliveryLimits
    var now: Int64 = 0
    var queue: [(at: Int64, order: Int, run: Happening)] = []
    var order = 0

    var log: [Int32: [Record]] = [0: [], 1: []]
    var committed: [Int32: PartitionState] = [:]
    var owner: [Int32: Int] = [:]
    var generation = 1
    var suspended: Set<ClientID> = []
    var clickHouse = SimulatedClickHouse()
    var deadLetters: [Int32: Set<Int64>] = [0: [], 1: []]
    var members: [Int: SimulatedMember] = [:]
    var lastLife: UInt64 = 0
    var lastBatch: UInt64 = 0
    var isHealed = false
    var redoneBatches = 0
    var replayed = 0
    var timesFull = 0
    /// What must not happen at any moment, as it was seen.
    var faults: [String] = []
    /// Whose destination was ever broken: nobody else's events may be given up for it.
    var everBroken: Set<ClientID> = []
    var takenOver = 0

    init(seed: UInt64, mutation: Mutation? = nil) {
        random = SeededGenerator(seed: seed)
        self.mutation = mutation
        var limits = DeliveryLimits()
        limits.maxOutstandingBatches = 3
        limits.destinationTimeoutMilliseconds = 4_000
        limits.leaseMilliseconds = Self.sessionTimeoutMilliseconds - 1_000
        limits.maxExecutionMilliseconds = 2_000
        limits.revokeDrainMilliseconds = 500
        limits.maxInsertsInFlight = 3
        limits.activeMilliseconds = 10_000
        self.limits = limits
        for partition in Self.partitions { committed[partition] = PartitionState(offset: 0) }
    }

    /// Once the trouble ends, everything has to drain within this time.
    static let drainMilliseconds: Int64 = 60_000

    // MARK: - Time

    mutating func after(_ delay: Int64, _ run: @escaping Happening) {
        order += 1
        queue.append((now + delay, order, run))
    }

    mutating func step() -> Bool {
        guard let next = queue.indices.min(by: { (queue[$0].at, queue[$0].order) < (queue[$1].at, queue[$1].order) })
        else { return false }
        let happening = queue.remove(at: next)
        now = max(now, happening.at)
        happening.run(&self)
        return true
    }

    /// Runs `milliseconds` of trouble, then heals everything and runs until all is settled.
    mutating func run(milliseconds: Int64) -> [String] {
        for number in 0..<2 { startMember(number) }
        after(5) { $0.producing() }
        after(50) { $0.trouble() }
        for number in 0..<2 { after(10) { $0.working(number) } }
        while now < milliseconds { guard step() else { break } }
        isHealed = true
        clickHouse.isAway = false
        clickHouse.isFull = false
        // One client's destination may stay broken: it is given up, and holds up nobody.
        clickHouse.broken = Set(clickHouse.broken.sorted { $0.low < $1.low }.prefix(random.number(1)))
        let limit = now + Self.drainMilliseconds
        while now < limit, !isSettled { guard step() else { break } }
        return verdict()
    }

    var isSettled: Bool {
        Self.partitions.allSatisfy { committed[$0] == PartitionState(offset: Int64(log[$0]!.count)) }
            && members.count == 2 && members.values.allSatisfy(\.isIdle)
    }

    func verdict() -> [String] {
        var faults = faults
        if !isSettled {
            faults.append("not settled: \(committed), log \(log.mapValues(\.count))")
            for member in members.values {
                faults.append("\(member.number): \(member.held), slots \(member.delivery.slotsInUse)")
            }
        }
        for partition in Self.partitions {
            for (offset, record) in log[partition]!.enumerated() {
                var count = 0
                for client in Self.clients {
                    let key = SimulatedClickHouse.Key(client: client, partition: partition, offset: Int64(offset))
                    let rows = clickHouse.rows[key] ?? 0
                    if rows > 0 && client != record.client { faults.append("\(partition)/\(offset) in a wrong table") }
                    count += rows
                }
                if count > 1 { faults.append("\(partition)/\(offset) \(count) times") }
                if count == 0 && !deadLetters[partition]!.contains(Int64(offset)) {
                    faults.append("\(partition)/\(offset) lost")
                }
            }
        }
        return faults
    }

    // MARK: - Producers and trouble

    mutating func producing() {
        guard !isHealed else { return }
        for _ in 0..<random.number(4) {
            let record = Record(
                client: Self.clients.randomElement(using: &random)!, month: random.number(2),
                isPoison: random.percent(2), isAlwaysBad: random.percent(5))
            log[Self.partitions.randomElement(using: &random)!]!.append(record)
        }
        after(20 + random.upTo(40)) { $0.producing() }
    }

    mutating func trouble() {
        guard !isHealed else { return }
        let number = random.number(1)
        switch random.number(16) {
        case 0, 1: crash(number)
        case 2: members[number]?.frozenUntil = now + random.upTo(Self.sessionTimeoutMilliseconds * 2)
        case 3: clickHouse.isAway.toggle()
        case 4:
            let client = Self.clients.randomElement(using: &random)!
            clickHouse.broken.formSymmetricDifference([client])
            everBroken.formUnion(clickHouse.broken)
        case 5:
            let client = Self.clients.randomElement(using: &random)!
            suspended.formSymmetricDifference([client])
        case 6: rebalance()
        case 7: evict(number)
        case 11: commitsVanish()
        case 12: replay()
        case 13, 14: suspendCrashReplay(number)
        case 15:
            clickHouse.isFull.toggle()
            timesFull += 1
        case 8: clickHouse.forgetTokens(usedBefore: now - 2 * Self.sessionTimeoutMilliseconds)
        default: break
        }
        after(100 + random.upTo(1_500)) { $0.trouble() }
    }
}
