/// The delivery protocol of one member as a plain value: events go in, actions come out, and it owns no bytes and no clock.
///
/// A batch goes Seal → (durable) → dead letters → blocks → Complete; a batch named by the committed state of a life
/// before starts at Recovery and joins at the dead letters. `docs/DELIVERY.md` tells the protocol failure by failure.
public struct Delivery {
    public let limits: DeliveryLimits

    var partitions: [Int32: PartitionChain] = [:]
    var batches: [UUID128: OutstandingBatch] = [:]
    var circuits: [ClientID: DestinationCircuit] = [:]
    /// How often each client's circuit has opened: as many as there are clients with a broken table.
    var circuitOpenings: [ClientID: Int] = [:]
    var health = ServerHealth()
    var recent = RecentAnswers()

    /// Batches whose earlier life is to be asked after, and those for which that has its time.
    var waitingForQuiet: [UUID128] = []
    var quietWaitsForTime: [UUID128] = []
    var waitingForSlot = FairQueue()
    var waitingToAsk: [BlockKey] = []
    /// Blocks with a deadline; few, since only a failing block waits.
    var waitingForTime: [BlockKey] = []
    /// Blocks that hold back what they would do until the server itself is known to be well.
    var waitingForServer: [BlockKey] = []
    /// Something has come in that may decide about them.
    var isVerdictDue = false
    /// Inserts held back until a commit renews the lease.
    var waitingForLease: [BlockKey] = []

    var insertTickets: [UInt64: (key: BlockKey, sentMilliseconds: Int64)] = [:]
    var quietTickets: [UInt64: UUID128] = [:]
    var questionTickets: [UInt64: BlockKey] = [:]
    var refusalTickets: [UInt64: BlockKey] = [:]
    var insertsOfClient: [ClientID: Int] = [:]

    /// When the commit was *sent* whose answer proved last that this member is one.
    var leaseSinceMilliseconds: Int64 = .min
    var commitSentMilliseconds: [UInt64: Int64] = [:]

    /// What the insert or the question that was just answered was told, where that makes the server suspect.
    var lastRefusal: String?
    private var lastTicket: UInt64 = 0
    /// Makes this life's own tokens differ from every other life's.
    private let life: UUID128
    var actions: [DeliveryAction] = []
    var now: Int64 = 0

    public init(limits: DeliveryLimits, life: UUID128) {
        self.limits = limits
        self.life = life
    }

    // MARK: - In and out

    /// Takes one event and returns what is to be done, in order.
    public mutating func handle(_ event: DeliveryEvent, nowMilliseconds: Int64) -> [DeliveryAction] {
        now = nowMilliseconds
        let fault = health.fault
        lastRefusal = nil
        take(event)
        judgeServer(before: fault, lastMessage: lastRefusal)
        passTime()
        schedule()
        commitWhatChanged()
        releaseWhatIsDrained()
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ event: DeliveryEvent) {
        switch event {
        case .assigned(let partition, let state): recover(partition, state, isCommitted: true)
        case .takenOver(let partition, let state): recover(partition, state, isCommitted: false)
        case .revoking(let revoked): drain(revoked)
        case .lost(let lost): for partition in lost { abandon(partition) }
        case .committed(let partition, let ticket, let answer): committed(partition, ticket, answer)
        case .redoRead(let ticket, let batch, let content):
            if batches[batch]?.ticket == ticket, batches[batch]?.stage == .reading { settle(batch, content) }
        case .deadLettersSettled(let ticket, let batch):
            if batches[batch]?.ticket == ticket { insertBlocks(of: batch) }
        case .insertAnswered(let ticket, let answer): insertAnswered(ticket, answer)
        case .batchQuietAnswered(let ticket, let answer): batchQuietAnswered(ticket, answer)
        case .quietAnswered(let ticket, let answer): quietAnswered(ticket, answer)
        case .readBackAnswered(let ticket, let answer): readBackAnswered(ticket, answer)
        case .rowsDeadLettered(let ticket): rowsDeadLettered(ticket)
        case .serverProbed(let ticket, let isWell): serverProbed(ticket, isWell)
        case .writeProbed(let ticket, let answer): writeProbed(ticket, answer)
        case .tick: break
        }
    }

    /// When `.tick` is due at the latest; nil when nothing waits for time.
    public var nextDeadlineMilliseconds: Int64? {
        var earliest = health.nextDeadlineMilliseconds
        func consider(_ time: Int64?) {
            if let time, time < earliest ?? .max { earliest = time }
        }
        if !health.isAway {
            for key in waitingForTime {
                if case .wait(let until, _) = batches[key.batch]?.blocks[key.client]?.step { consider(until) }
            }
            for id in quietWaitsForTime {
                if case .wait(let until) = batches[id]?.quiet.step { consider(until) }
            }
        }
        for partition in partitions.values {
            consider(partition.lane.retryAtMilliseconds)
            if case .draining(let deadline) = partition.phase { consider(deadline) }
        }
        return earliest
    }

    // MARK: - What the pipeline asks

    public func owns(_ partition: Int32) -> Bool { partitions[partition] != nil }

    /// True while another batch of this partition may be sealed: its chain has room and it is not being given up.
    public func canSeal(_ partition: Int32) -> Bool {
        guard let chain = partitions[partition], chain.phase == .running else { return false }
        return chain.chain.count < limits.maxOutstandingBatches
    }

    /// Where the next batch of the partition starts.
    public func end(of partition: Int32) -> Int64? { partitions[partition]?.end }

    public var isIdle: Bool {
        batches.isEmpty
            && partitions.allSatisfy { $0.value.lane.isIdle && $0.value.lane.durable == wantedState($0.value) }
    }

    /// True when everything of the partition is settled and committed.
    public func isIdle(_ partition: Int32) -> Bool {
        guard let chain = partitions[partition] else { return true }
        return chain.chain.isEmpty && chain.lane.isIdle && chain.lane.durable == wantedState(chain)
    }

    /// Inserts and questions under way, of batches that were dropped too.
    public var slotsInUse: Int { insertTickets.count + questionTickets.count + quietTickets.count }

    public var outstandingBatchCount: Int { batches.count }
    /// True while the batch waits for its records to be read again, asked for with this ticket.
    public func awaitsRedo(_ batch: UUID128, ticket: UInt64) -> Bool {
        batches[batch]?.stage == .reading && batches[batch]?.ticket == ticket
    }

    public func outstandingBatchCount(_ partition: Int32) -> Int { partitions[partition]?.chain.count ?? 0 }
    public var isServerAway: Bool { health.isAway }
    /// Why everything waits for ClickHouse; nil while it is thought to be well.
    public var serverFault: ServerFault? { health.fault }
    public var isWriteProbeMissing: Bool { health.isProbeTableMissing }

    /// True while this commit of the partition is the one whose answer is awaited.
    public func awaitsCommit(_ partition: Int32, ticket: UInt64) -> Bool {
        partitions[partition]?.lane.ticket == ticket
    }

    /// What is known to be committed for each partition held.
    public func committedOffset(_ partition: Int32) -> Int64? { partitions[partition]?.lane.durable?.offset }

    // MARK: - Tickets and tokens

    mutating func ticket() -> UInt64 {
        lastTicket += 1
        return lastTicket
    }

    func text(of token: BlockDelivery.Token, batch: UUID128) -> String {
        let own = batch.description
        return switch token {
        case .batch: own
        case .range(let range): "\(own)-\(range.lowerBound)-\(range.upperBound)"
        case .fresh(let number): "\(own)-\(life.description)-\(number ?? 0)"
        }
    }
}
