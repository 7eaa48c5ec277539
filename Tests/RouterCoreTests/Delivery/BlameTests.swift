import RouterCore
import Testing

/// Drives the machine by hand: commits and questions are answered at once, inserts and probes as the test says.
private struct Driver {
    static let first = UUID128(high: 0, low: 1)
    static let second = UUID128(high: 0, low: 2)
    static let disk = InsertAnswer.refused(message: "243 disk", suspicion: .serverOrDestination(slowDown: false))
    static let parts = InsertAnswer.refused(message: "252 parts", suspicion: .serverOrDestination(slowDown: true))
    static let gone = InsertAnswer.refused(message: "60 table", suspicion: .destination)

    var delivery: Delivery
    var now: Int64 = 1_000
    var inserts: [(ticket: UInt64, client: ClientID)] = []
    var writeProbes: [UInt64] = []
    var serverProbes: [UInt64] = []
    var givenUp: [ClientID] = []
    var blamed: [ServerFault] = []
    var backCount = 0
    var opened: [ClientID] = []
    var closed: [ClientID] = []
    var completed = 0
    var missingTold = 0
    var nextOffset: Int64 = 0
    /// What a question about rows is answered; nil holds none.
    var readBackRefusal: String?

    init(_ change: (inout DeliveryLimits) -> Void = { _ in }) {
        var limits = DeliveryLimits()
        limits.destinationTimeoutMilliseconds = 10_000
        change(&limits)
        delivery = Delivery(limits: limits, life: UUID128(high: 9, low: 9))
        tell(.assigned(partition: 0, state: PartitionState(offset: 0)))
    }

    mutating func tell(_ event: DeliveryEvent) { perform(delivery.handle(event, nowMilliseconds: now)) }

    /// Up to the limit of the chain, which a batch of a client that fails holds up.
    mutating func seal(_ clients: ClientID...) {
        nextOffset += 10
        perform(
            delivery.seal(
                partition: 0, batch: UUID128(high: 0xB, low: UInt64(nextOffset)), hi: nextOffset,
                content: BatchContent(deadLetterCount: 0, blocks: clients.map { ($0, 3) }), nowMilliseconds: now))
    }

    mutating func pass(_ milliseconds: Int64) {
        let end = now + milliseconds
        while now < end {
            now += 100
            tell(.tick)
        }
    }

    mutating func perform(_ actions: [DeliveryAction]) {
        for action in actions {
            switch action {
            case .commit(let partition, _, let ticket):
                tell(.committed(partition: partition, ticket: ticket, answer: .durable))
            case .insert(let ticket, _, let client, _, _, _): inserts.append((ticket, client))
            case .readBack(let ticket, _, _, _):
                let answer = readBackRefusal.map { ReadBackAnswer.refused(message: $0) }
                tell(.readBackAnswered(ticket: ticket, answer: answer ?? .held(RowSet([]), offsets: [0, 1, 2])))
            case .askQuiet(let ticket, _, _): tell(.quietAnswered(ticket: ticket, answer: .quiet))
            case .probeServer(let ticket): serverProbes.append(ticket)
            case .probeWrite(let ticket): writeProbes.append(ticket)
            case .deadLetterRows(let ticket, _, let client, _):
                givenUp.append(client)
                tell(.rowsDeadLettered(ticket: ticket))
            case .serverBlamed(let fault): blamed.append(fault)
            case .serverBack: backCount += 1
            case .circuitOpened(let client, _): opened.append(client)
            case .circuitClosed(let client): closed.append(client)
            case .completed: completed += 1
            case .writeProbeMissing: missingTold += 1
            default: break
            }
        }
    }

    /// Answers what is under way, and all that follows at once from it.
    mutating func answer(write: WriteProbeAnswer, _ insert: (ClientID) -> InsertAnswer) {
        let tickets = inserts
        inserts = []
        for (ticket, client) in tickets { tell(.insertAnswered(ticket: ticket, answer: insert(client))) }
        let questions = serverProbes
        serverProbes = []
        for ticket in questions { tell(.serverProbed(ticket: ticket, isWell: true)) }
        let probes = writeProbes
        writeProbes = []
        for ticket in probes { tell(.writeProbed(ticket: ticket, answer: write)) }
    }

    mutating func run(
        _ milliseconds: Int64, write: WriteProbeAnswer, _ insert: (ClientID) -> InsertAnswer
    ) {
        let end = now + milliseconds
        while now < end {
            answer(write: write, insert)
            pass(100)
        }
    }
}

@Suite("The server or the client") struct BlameTests {
    @Test func aRefusedWriteBlamesTheServerAndNobodyIsGivenUp() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.run(60_000, write: .refused(message: "243", slowDown: false)) { _ in Driver.disk }
        #expect(driver.givenUp.isEmpty && driver.opened.isEmpty)
        #expect(driver.blamed == [.refusesWrites(message: "243")] && driver.backCount == 0)
        #expect(driver.delivery.serverFault != nil && driver.inserts.isEmpty)
        // It is the probe that tells that the server is well again; the client's clock starts anew then.
        driver.run(10_000, write: .taken) { _ in .acknowledged }
        #expect(driver.backCount == 1 && driver.completed == 1 && driver.givenUp.isEmpty)
    }

    @Test func theFirstRefusalIsFollowedByAWriteAtOnceAndOneAnswerIsEnough() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.answer(write: .taken) { _ in Driver.disk }
        driver.pass(driver.delivery.limits.freeProbeMilliseconds)
        #expect(driver.writeProbes.count == 1)
        driver.answer(write: .refused(message: "243", slowDown: false)) { _ in Driver.disk }
        #expect(driver.delivery.serverFault != nil)
    }

    @Test func aTakenWriteLeavesTheBlameWithTheClientAlone() {
        var driver = Driver()
        driver.seal(Driver.first, Driver.second)
        driver.run(30_000, write: .taken) { $0 == Driver.first ? Driver.disk : .acknowledged }
        #expect(driver.opened == [Driver.first] && driver.givenUp == [Driver.first])
        #expect(driver.blamed.isEmpty && driver.completed == 1)
    }

    /// A table that can neither be written nor read: every refused question is followed by one to the server, and none of
    /// them may keep the client from being given up.
    @Test func aClientWhoseRowsCannotBeReadBackIsGivenUp() {
        var driver = Driver()
        driver.readBackRefusal = "241 memory"
        driver.seal(Driver.first)
        driver.seal(Driver.first, Driver.second)
        driver.run(60_000, write: .taken) { $0 == Driver.first ? Driver.disk : .acknowledged }
        #expect(driver.opened == [Driver.first] && driver.blamed.isEmpty && driver.completed == 2)
    }

    @Test func anAcknowledgedInsertIsAProbeForFree() {
        var driver = Driver()
        driver.seal(Driver.first)
        let end = driver.now + 15_000
        while driver.now < end {
            driver.answer(write: .taken) { $0 == Driver.first ? Driver.disk : .acknowledged }
            if driver.delivery.canSeal(0) { driver.seal(Driver.second) }
            #expect(driver.writeProbes.isEmpty)
            driver.pass(200)
        }
        #expect(driver.opened == [Driver.first] && driver.blamed.isEmpty)
    }

    @Test func whenMostClientsFailItIsTheServerThoughTheProbeIsTaken() {
        var driver = Driver()
        driver.seal(Driver.first, Driver.second)
        driver.run(60_000, write: .taken) { _ in Driver.parts }
        #expect(driver.givenUp.isEmpty && driver.opened.isEmpty)
        #expect(driver.blamed == [.mostClientsFail(message: "252 parts")])
        // Only inserts can tell that it is over, so one at a time still goes.
        #expect(driver.inserts.count <= 1)
        driver.run(30_000, write: .taken) { _ in .acknowledged }
        #expect(driver.backCount == 1 && driver.completed == 1 && driver.givenUp.isEmpty)
    }

    @Test func aMissingTableIsTheClientsOwnWithoutAnyProbe() {
        var driver = Driver()
        driver.seal(Driver.first, Driver.second)
        driver.run(30_000, write: .refused(message: "x", slowDown: false)) { _ in Driver.gone }
        #expect(Set(driver.opened) == [Driver.first, Driver.second] && driver.writeProbes.isEmpty)
    }

    @Test func withoutTheProbesTableItWaitsAndBlamesNobody() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.run(60_000, write: .missing) { _ in Driver.disk }
        #expect(driver.givenUp.isEmpty && driver.opened.isEmpty && driver.missingTold == 1)
        // It goes on trying all the while.
        driver.run(10_000, write: .missing) { _ in .acknowledged }
        #expect(driver.completed == 1)
    }

    @Test func whileTheServerIsToBlameAnOpenCircuitGivesNothingUp() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.run(15_000, write: .taken) { _ in Driver.gone }
        #expect(driver.givenUp == [Driver.first])
        driver.seal(Driver.second)
        driver.run(1_000, write: .refused(message: "243", slowDown: false)) { _ in Driver.disk }
        #expect(driver.delivery.serverFault != nil)
        driver.seal(Driver.first)
        driver.run(20_000, write: .refused(message: "243", slowDown: false)) { _ in Driver.disk }
        #expect(driver.givenUp.count == 1)
        driver.run(20_000, write: .taken) { $0 == Driver.first ? Driver.gone : .acknowledged }
        #expect(driver.givenUp.count == 2 && driver.completed == 3)
    }

    @Test func halfOpenIsOneRealInsertAndTheCircuitIsShownAllTheWhile() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.run(15_000, write: .taken) { _ in Driver.gone }
        let since = driver.delivery.openCircuits.first?.sinceMilliseconds
        driver.seal(Driver.first)
        #expect(driver.inserts.count == 1 && driver.delivery.openCircuits.first?.isHalfOpen == true)
        // Beside the trial everything still becomes dead letters.
        driver.seal(Driver.first)
        #expect(driver.inserts.count == 1 && driver.givenUp.count == 2)
        driver.run(5_000, write: .taken) { _ in Driver.gone }
        #expect(driver.delivery.openCircuits.map(\.sinceMilliseconds) == [since] && driver.closed.isEmpty)
        #expect(driver.givenUp.count == 3)
        driver.seal(Driver.first)
        driver.answer(write: .taken) { _ in .acknowledged }
        #expect(driver.closed == [Driver.first] && driver.delivery.openCircuits.isEmpty)
        #expect(driver.opened.count == 1 && driver.completed == 4)
        driver.seal(Driver.first)
        driver.run(15_000, write: .taken) { _ in Driver.gone }
        #expect(driver.delivery.openCircuits.first?.openedCount == 2)
    }

    @Test func aTrialWhosePartitionIsLostLeavesRoomForTheNext() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.run(15_000, write: .taken) { _ in Driver.gone }
        driver.seal(Driver.first)
        driver.tell(.lost(partitions: [0]))
        driver.inserts = []
        driver.tell(.assigned(partition: 0, state: PartitionState(offset: driver.nextOffset)))
        driver.pass(3_000)
        driver.seal(Driver.first)
        #expect(driver.inserts.count == 1)
        driver.answer(write: .taken) { _ in .acknowledged }
        #expect(driver.closed == [Driver.first])
    }

    @Test func nothingThatIsDueLiesInThePast() {
        var driver = Driver()
        driver.seal(Driver.first)
        driver.run(15_000, write: .taken) { _ in Driver.gone }
        #expect(!driver.delivery.openCircuits.isEmpty)
        // ClickHouse goes away with a circuit open.
        while driver.serverProbes.isEmpty { driver.pass(100) }
        driver.tell(.serverProbed(ticket: driver.serverProbes.removeFirst(), isWell: false))
        #expect(driver.delivery.isServerAway)
        for _ in 0..<100 {
            driver.now += 37
            _ = driver.delivery.handle(.tick, nowMilliseconds: driver.now)
            if let due = driver.delivery.nextDeadlineMilliseconds { #expect(due > driver.now) }
        }
    }
}
