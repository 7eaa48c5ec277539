import ClientStore
import KafkaClient
import Logging
import RouterConfiguration
import RouterCore
import RouterDatabase

/// The way of a record, one turn after the other, on one thread: poll, judge, append, seal, and carry out what the
/// delivery machine asks. Everything slow happens elsewhere and comes back through the mailbox.
///
/// It is not Sendable: the thread that runs it owns everything in it.
final class Pipeline {
    let settings: Settings
    let topic: String
    let log: Logger
    let limits: PipelineLimits
    let mailbox: Mailbox
    let consumer: KafkaConsumer
    let destination: ClickHouseDestination
    let outbox: DeadLetterOutbox
    let rangeJobs: RangeJobs
    let clients: ClientSource
    let starts: StartReader
    let progress: ProgressRecorder
    let metrics: ServiceMetrics
    let board: StatusBoard

    var delivery: Delivery
    var judge: RecordJudge
    var pauses = Pauses()
    var intakes: [Int32: PartitionIntake] = [:]
    var sealed: [UUID128: SealedBatch] = [:]
    var sealedBytes = SealedBytes()
    var memory: MemoryBudget
    var watch = ProgressWatch()
    /// Wall clock; remembered and not computed, so that it reads the same at every look.
    var circuitsOpenedAt: [ClientID: Int64] = [:]
    /// Of every client seen with a block, for whoever reads of its circuit.
    var databases: [ClientID: String] = [:]
    var membership = Membership()
    var records = KafkaRecordBatch(capacity: 1_000)
    var stopping: Stopping?
    var caughtUp: CaughtUp?
    var fatalError: ServiceError?
    var counts = Counts()
    /// Consumed since the counter was last told: it is told once a turn, not once a record.
    var unreportedConsumed = 0
    var monotonic: Int64 = 0
    var wall: Int64 = 0
    private var nextStatusMilliseconds: Int64 = 0
    private var hasCheckedMetadata = false
    private var nextKafkaProbeMilliseconds: Int64 = 0

    /// What is counted for the status and the summary.
    struct Counts {
        var consumed = 0
        var delivered = 0
        var deadLettered: [DeadLetterReason: Int] = [:]
        var lostToRetention: Int64 = 0
        var keepsMetadata = true
        var kafkaError: String?
        var postgresError: String?
    }

    /// Asked to end: what is open is sealed, what is sealed is finished, until the deadline.
    struct Stopping {
        var deadlineMilliseconds: Int64
    }

    init(_ parts: PipelineParts) {
        settings = parts.settings
        topic = parts.settings.kafka.rawTopic
        log = parts.log
        limits = PipelineLimits(settings: parts.settings)
        memory = MemoryBudget(limitBytes: limits.memoryBytes)
        mailbox = parts.mailbox
        consumer = parts.consumer
        destination = parts.destination
        outbox = parts.outbox
        rangeJobs = parts.rangeJobs
        clients = parts.clients
        starts = parts.starts
        progress = parts.progress
        metrics = parts.metrics
        board = parts.board
        caughtUp = parts.caughtUp
        delivery = Delivery(limits: limits.delivery, life: parts.life)
        judge = RecordJudge(
            topic: parts.settings.kafka.rawTopic, maxEventBytes: parts.settings.limits.maxEventBytes)
        heard(parts.pauses)
    }

    // MARK: - The loop

    /// Runs until it is stopped, caught up, or a fatal error ends it.
    func run() {
        while !isFinished {
            readClocks()
            mailbox.wake.drain()
            let isBusy = turn()
            if !isBusy { mailbox.wake.wait(timeoutMilliseconds: waitMilliseconds()) }
        }
        readClocks()
        publishStatus(phase: "ended")
    }

    /// - Returns: true when there is more at hand and no reason to wait.
    private func turn() -> Bool {
        var isBusy = poll()
        for event in consumer.takeEvents() {
            handle(event)
            isBusy = true
        }
        for message in mailbox.take() {
            handle(message)
            isBusy = true
        }
        if settleOutbox() { isBusy = true }
        if readRanges() { isBusy = true }
        askForClients()
        countConsumed(unreportedConsumed)
        unreportedConsumed = 0
        sealWhatIsDue()
        perform(delivery.handle(.tick, nowMilliseconds: monotonic))
        balanceMemory()
        tendMembership()
        sendHeldCommits()
        probeKafka()
        advanceStopping()
        if monotonic >= nextStatusMilliseconds {
            nextStatusMilliseconds = monotonic + limits.statusMilliseconds
            watchProgress()
            publishStatus(phase: stopping == nil ? "running" : "draining")
        }
        return isBusy
    }

    func readClocks() {
        monotonic = Clock.monotonicMilliseconds()
        wall = Clock.wallMilliseconds()
    }

    private var isFinished: Bool {
        if fatalError != nil { return true }
        guard let stopping else { return false }
        return monotonic >= stopping.deadlineMilliseconds || isDrained
    }

    private func waitMilliseconds() -> Int {
        var deadline = monotonic + limits.longestWaitMilliseconds
        for time in [
            delivery.nextDeadlineMilliseconds, outbox.nextDeadlineMilliseconds,
            rangeJobs.nextDeadlineMilliseconds(after: monotonic),
            nextSealMilliseconds, membership.nextDeadlineMilliseconds,
        ] {
            if let time, time < deadline { deadline = time }
        }
        return Int(max(1, deadline - monotonic))
    }

    // MARK: - What comes in

    private func handle(_ message: PipelineMessage) {
        switch message {
        case .delivery(let event):
            perform(delivery.handle(event, nowMilliseconds: monotonic))
        case .insertAnswered(let ticket, let answer, let duration):
            metrics.insert(answer, durationMilliseconds: duration)
            perform(delivery.handle(.insertAnswered(ticket: ticket, answer: answer), nowMilliseconds: monotonic))
        case .clients(let event):
            heard(event)
        case .starts(let request, let result):
            startsKnown(request, result)
        case .metadataKept(let isKept):
            metadataChecked(isKept)
        case .committedElsewhere(let offsets):
            caughtUp?.committedElsewhere = offsets
        case .kafkaProbed(let problem):
            if let problem, counts.kafkaError == nil {
                log.warning("Kafka does not answer, waiting for it", metadata: ["error": "\(problem)"])
            } else if problem == nil, counts.kafkaError != nil {
                log.notice("Kafka answers again")
            }
            counts.kafkaError = problem
        case .pauses(let pauses):
            heard(pauses)
        case .stop:
            stop()
        }
    }

    private func heard(_ event: ClientSourceEvent) {
        if case .problem(let text) = event { log.warning("client directory", metadata: ["problem": "\(text)"]) }
        if case .postgres(let reachable, let text) = event {
            let error = reachable ? nil : text
            if error != counts.postgresError {
                if let error {
                    log.warning(
                        "Postgres cannot be asked about clients, going on with what is remembered",
                        metadata: ["error": "\(error)"])
                } else {
                    log.notice("Postgres answers again")
                }
            }
            counts.postgresError = error
        }
        judge.directory.apply(event, nowMilliseconds: monotonic)
        takeParked()
    }

    private func askForClients() {
        let ids = judge.directory.takeRequests()
        if !ids.isEmpty { clients.request(ids) }
    }

    /// Once per life, after the first intent was committed: does the broker give the string back?
    func checkMetadataOnce(_ partition: Int32) {
        guard !hasCheckedMetadata else { return }
        hasCheckedMetadata = true
        starts.checkMetadata(partition)
    }

    /// librdkafka tells when brokers go away, and not when they are back.
    private func probeKafka() {
        guard membership.hasJoined, monotonic >= nextKafkaProbeMilliseconds else { return }
        nextKafkaProbeMilliseconds = monotonic + PipelineLimits.kafkaProbeMilliseconds
        starts.probe()
    }

    private func metadataChecked(_ isKept: Bool) {
        counts.keepsMetadata = isKept
        guard !isKept else { return }
        log.critical(
            "this broker does not keep the metadata of committed offsets: delivery is at-least-once, a crash may double what was under way",
            metadata: ["group": "\(settings.kafka.groupID)"])
    }

    // MARK: - Dead letters and records read again

    private func settleOutbox() -> Bool {
        let before = outbox.sentCount
        let groups = outbox.turn(nowMilliseconds: monotonic) { Timestamp.rfc3339(self.wall) }
        for (reason, count) in outbox.sentCount where count != before[reason] {
            let more = count - (before[reason] ?? 0)
            metrics.deadLettered(reason, count: more)
            counts.deadLettered[reason, default: 0] += more
        }
        if let error = outbox.fatalError {
            fatalError = ServiceError("the dead-letter producer ended: \(error)")
        }
        for group in groups {
            switch group {
            case .batch(let ticket, let id):
                perform(
                    delivery.handle(.deadLettersSettled(ticket: ticket, batch: id), nowMilliseconds: monotonic))
            case .rows(let ticket):
                perform(delivery.handle(.rowsDeadLettered(ticket: ticket), nowMilliseconds: monotonic))
            }
        }
        return !groups.isEmpty
    }

    private func readRanges() -> Bool {
        let (outcomes, isBusy) = rangeJobs.turn(
            &judge, mayRedo: memory.mayRedo, waitingBytes: outbox.bytes, monotonic: monotonic, wall: wall)
        for outcome in outcomes {
            switch outcome {
            case .redone(let ticket, let id, let partition, let lo, let hi, let assembly):
                log.debug(
                    "batch read again",
                    metadata: ["batch": "\(id)", "partition": "\(partition)", "lo": "\(lo)", "hi": "\(hi)"])
                countConsumed(assembly.recordCount)
                // One that was dropped meanwhile is nobody's: its bytes would never be given back.
                guard delivery.awaitsRedo(id, ticket: ticket) else { continue }
                let batch = keep(assembly, id: id, partition: partition, lo: lo, hi: hi)
                perform(
                    delivery.handle(
                        .redoRead(ticket: ticket, batch: id, content: batch.content), nowMilliseconds: monotonic))
            case .collected(let ticket, let letters, let isLast):
                outbox.send(letters, as: .rows(ticket: ticket), isLast: isLast)
            case .lost(let partition, let ranges):
                reportLoss(partition, ranges)
            case .abandoned(let ticket):
                outbox.abandon(.rows(ticket: ticket))
            }
        }
        return isBusy || !outcomes.isEmpty
    }

    func countConsumed(_ count: Int) {
        counts.consumed += count
        metrics.consumed.increment(by: count)
    }

    /// Turns an assembly into the bytes of a batch, which stay until the batch is complete or dropped.
    func keep(_ assembly: BatchAssembly, id: UUID128, partition: Int32, lo: Int64, hi: Int64) -> SealedBatch {
        let batch = assembly.seal(id: id, topic: topic, partition: partition, lo: lo, hi: hi, wallMilliseconds: wall)
        for (client, block) in batch.blocks { databases[client] = block.database }
        sealed[id] = batch
        sealedBytes.keep(
            id, deadLetterBytes: batch.deadLetterBytes, blockBytes: batch.blocks.mapValues(\.rows.allocatedBytes))
        return batch
    }
}

/// What ends the service with status 1.
public struct ServiceError: Error, Sendable, CustomStringConvertible {
    public var message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
