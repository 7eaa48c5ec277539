import ClickHouseClient
import ClientStore
import Foundation
import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase

/// Everything that the pipeline's thread is made of.
struct PipelineParts {
    var settings: Settings
    var log: Logger
    var mailbox: Mailbox
    var consumer: KafkaConsumer
    var destination: ClickHouseDestination
    var outbox: DeadLetterOutbox
    var rangeJobs: RangeJobs
    var clients: ClientSource
    var starts: StartReader
    var progress: ProgressRecorder
    var metrics: ServiceMetrics
    var board: StatusBoard
    var caughtUp: CaughtUp?
    var life: UUID128
    var pauses: Pauses
}

/// The service: waits for its servers, builds the pipeline, runs it on a thread of its own, and ends in order.
public final class RouterService: Sendable {
    private let settings: Settings
    private let log: Logger
    private let latency: LatencyRecorder
    private let untilCaughtUp: Bool
    public let board = StatusBoard()
    let startup: Startup
    private let mailbox: Mailbox
    private let clients: ClientSource

    public init(settings: Settings, untilCaughtUp: Bool, log: Logger, latency: @escaping LatencyRecorder) throws {
        self.settings = settings
        self.untilCaughtUp = untilCaughtUp
        self.log = log
        self.latency = latency
        startup = Startup(settings: settings, log: log)
        let mailbox = Mailbox(wake: try WakeDescriptor())
        self.mailbox = mailbox
        clients = ClientSource(
            postgres: settings.postgresSettings, redis: settings.redisURL,
            hmacKey: settings.redis.cacheHMACKey.map { Array($0.reveal().utf8) }
        ) { mailbox.post(.clients($0)) }
        board.update {
            $0.group_id = settings.kafka.groupID
            $0.topic = settings.kafka.rawTopic
        }
    }

    /// Asks it to end: what is open is sealed and finished, then `run` returns.
    public func stop() {
        startup.stop()
        mailbox.post(.stop)
    }

    /// What the client directory's levels say of themselves.
    public var clientStatus: ClientSourceStatus { clients.status }

    /// Whether the service does its work, check by check.
    public func readiness() -> [(name: String, isWell: Bool, detail: String)] {
        startup.checks + Readiness.checks(board.current, clients.status)
    }

    /// Runs until it is stopped or caught up. It blocks its thread.
    /// - Throws: `ServiceError` where a person has to act.
    public func run() throws {
        guard let ready = try startup.waitForServers() else { return }
        clients.start()
        defer { _ = clients.stop() }
        let clickHouse = ClickHouseClient(
            endpoint: settings.clickHouseEndpoint, connections: Self.clickHouseConnections)
        defer { clickHouse.shutdown() }
        let parts = try makeParts(clickHouse, ready)
        let pauseWatcher = PauseWatcher(
            settings: settings.postgresSettings, group: settings.kafka.groupID, topic: settings.kafka.rawTopic, log: log
        ) { [mailbox] in mailbox.post(.pauses($0)) }
        pauseWatcher.start()
        defer { pauseWatcher.stop() }
        let lagWatch = LagWatch(settings: settings, board: board, log: log)
        lagWatch.start()
        defer { lagWatch.stop() }
        try parts.consumer.subscribe([settings.kafka.rawTopic])
        let pipeline = Pipeline(parts)
        pipeline.run()
        parts.progress.flush()
        if !parts.consumer.close(timeoutMilliseconds: Self.closeMilliseconds) {
            log.warning("the group was not left in order: the broker notices after the session timeout")
        }
        if let error = pipeline.fatalError { throw error }
    }

    /// Inserts, questions and probes at once, with a few to spare.
    private static let clickHouseConnections = 12
    /// Leaving a group takes a round trip or two.
    private static let closeMilliseconds = 5_000

    private func makeParts(_ clickHouse: ClickHouseClient, _ ready: Startup.Ready) throws -> PipelineParts {
        let life = UUID128.random()
        let kafkaLog = log.kafkaLog
        let consumer = try KafkaConsumer(properties: consumerProperties, wake: mailbox.wake, log: kafkaLog)
        let producer = try KafkaProducer(properties: producerProperties, wake: mailbox.wake, log: kafkaLog)
        let reader = try KafkaRangeReader(properties: settings.kafkaGroupProperties, wake: mailbox.wake, log: kafkaLog)
        let topic = settings.kafka.rawTopic
        let progress = ProgressRecorder(
            settings: settings.postgresSettings, group: settings.kafka.groupID, topic: topic, log: log)
        let limits = PipelineLimits(settings: settings)
        return PipelineParts(
            settings: settings, log: log, mailbox: mailbox, consumer: consumer,
            destination: ClickHouseDestination(
                client: clickHouse, mailbox: mailbox, life: life,
                maxExecutionMilliseconds: limits.delivery.maxExecutionMilliseconds, capabilities: ready.capabilities),
            outbox: DeadLetterOutbox(
                producer: producer, topic: settings.kafka.deadLetterTopic, connector: settings.kafka.groupID, log: log),
            rangeJobs: RangeJobs(reader: reader, topic: topic, log: log), clients: clients,
            starts: StartReader(queries: consumer.queries, topic: topic, mailbox: mailbox, progress: progress),
            progress: progress, metrics: ServiceMetrics(latency: latency), board: board,
            caughtUp: untilCaughtUp ? CaughtUp(targets: ready.ends) : nil, life: life, pauses: ready.pauses)
    }

    private var consumerProperties: KafkaProperties {
        let queueBytes = PipelineLimits.kafkaQueueBytes(settings)
        let ours: KafkaProperties = [
            "queued.max.messages.kbytes": String(queueBytes / 8 * PipelineLimits.kafkaQueuedEighths / 1024),
            "queued.min.messages": String(queueBytes / PipelineLimits.kafkaQueueBytesPerRecord),
            // One record has to fit an answer, whatever the share.
            "fetch.max.bytes": String(
                max(queueBytes / 8 * PipelineLimits.kafkaFetchEighths, settings.limits.maxEventBytes)),
            // Members learn of a rebalance from a heartbeat's answer, and nobody gets partitions before all have learnt:
            // a third of librdkafka's default.
            "heartbeat.interval.ms": "1000",
            // Tells when the log's end is reached, also where the last offsets hold no record.
            "enable.partition.eof": "true",
            // How soon added partitions are found; the default is five minutes.
            "topic.metadata.refresh.interval.ms": "30000",
        ]
        // What the operator sets wins.
        return ours.merging(settings.kafkaGroupProperties)
    }

    private var producerProperties: KafkaProperties {
        let ours: KafkaProperties = [
            // An outage is waited out: a dead letter is never given up.
            "message.timeout.ms": "0",
            "message.max.bytes": String(settings.limits.maxEventBytes + Self.deadLetterHeadroomBytes),
            "linger.ms": "5",
        ]
        return ours.merging(settings.kafkaProperties)
    }

    /// Headers, key, and a value that was refused for being too large up to this much more.
    static let deadLetterHeadroomBytes = 16 << 20
}
