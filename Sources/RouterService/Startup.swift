import ClickHouseClient
import Dispatch
import Foundation
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase
import Synchronization

/// Waits for the servers that the service cannot work without, all at once, and says every few seconds which one is
/// missing, for how long, and why.
final class Startup: Sendable {
    /// What was learnt on the way.
    struct Ready: Sendable {
        var capabilities: ServerCapabilities
        /// One past the last offset of each partition of the raw topic.
        var ends: [Int32: Int64]
        /// What an operator holds back: known before the first record is read.
        var pauses: Pauses
    }

    private struct State {
        var waitingFor: [String: String] = [
            "kafka": "not tried yet", "clickhouse": "not tried yet", "postgres": "not tried yet",
        ]
        var isStopped = false
        var capabilities: ServerCapabilities?
        var ends: [Int32: Int64]?
        var pauses = Pauses()
        var fatal: ServiceError?
    }

    private let settings: Settings
    private let log: Logger
    private let state = Mutex(State())
    private let wakeUp = DispatchSemaphore(value: 0)

    private static let firstPauseMilliseconds = 500
    private static let longestPauseMilliseconds = 5_000
    private static let timeoutMilliseconds = 5_000

    init(settings: Settings, log: Logger) {
        self.settings = settings
        self.log = log
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        for _ in 0..<8 { wakeUp.signal() }
    }

    /// A line for each server that has not answered yet.
    var checks: [(name: String, isWell: Bool, detail: String)] {
        state.withLock { state in
            ["kafka", "clickhouse", "postgres"].map { name in
                let problem = state.waitingFor[name]
                return ("start_\(name)", problem == nil, problem ?? "answered at start")
            }
        }
    }

    /// - Returns: nil when it was stopped meanwhile.
    func waitForServers() throws -> Ready? {
        DispatchQueue.concurrentPerform(iterations: 3) { index in
            switch index {
            case 0: wait("kafka", at: settings.kafka.bootstrapServers, askKafka)
            case 1: wait("clickhouse", at: "\(settings.clickHouse.host):\(settings.clickHouse.port)", askClickHouse)
            default: wait("postgres", at: "\(settings.postgres.host):\(settings.postgres.port)", askPostgres)
            }
        }
        return try state.withLock { state in
            if let fatal = state.fatal { throw fatal }
            guard !state.isStopped, let capabilities = state.capabilities, let ends = state.ends else { return nil }
            return Ready(capabilities: capabilities, ends: ends, pauses: state.pauses)
        }
    }

    private func wait(_ name: String, at place: String, _ ask: () throws -> Void) {
        let began = Clock.monotonicMilliseconds()
        var pause = Self.firstPauseMilliseconds
        while !state.withLock({ $0.isStopped || $0.fatal != nil }) {
            do {
                try ask()
                state.withLock { $0.waitingFor[name] = nil }
                return
            } catch let error as ServiceError {
                state.withLock { $0.fatal = error }
                return
            } catch {
                let seconds = Double(Clock.monotonicMilliseconds() - began) / 1000
                state.withLock { $0.waitingFor[name] = "\(place): \(error)" }
                log.warning(
                    "waiting for a server",
                    metadata: [
                        "server": "\(name)", "at": "\(place)", "seconds": "\(Int(seconds.rounded()))",
                        "error": "\(error)",
                    ])
            }
            _ = wakeUp.wait(timeout: .now() + .milliseconds(pause))
            pause = min(pause * 2, Self.longestPauseMilliseconds)
        }
    }

    // MARK: - Questions

    private func askKafka() throws {
        try TopicSetup.ensure(settings: settings, log: log)
        let queries = try KafkaQueries(properties: settings.kafkaGroupProperties, log: log.kafkaLog)
        let admin = KafkaAdmin(queries.handle)
        let topic = settings.kafka.rawTopic
        var ends: [Int32: Int64] = [:]
        for found in try admin.metadata([topic], timeoutMilliseconds: Self.timeoutMilliseconds) {
            if let error = found.error { throw error }
            for partition in found.partitions {
                ends[partition.id] = try queries.watermarks(
                    TopicPartition(topic: topic, partition: partition.id),
                    timeoutMilliseconds: Self.timeoutMilliseconds
                ).high
            }
        }
        guard !ends.isEmpty else { throw KafkaError(code: 3, message: "the topic \(topic) has no partitions yet") }
        state.withLock { $0.ends = ends }
    }

    private func askPostgres() throws {
        let connection = try PostgresConnection(settings.postgresSettings)
        let database = try DatabaseState.read(connection)
        if let problem = database.problem(database: settings.postgres.database) { throw ServiceError(problem) }
        if let remark = database.remark(database: settings.postgres.database) { log.warning("\(remark)") }
        let pauses = try Pauses.read(connection, group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        state.withLock { $0.pauses = pauses }
    }

    private func askClickHouse() throws {
        let client = ClickHouseClient(endpoint: settings.clickHouseEndpoint, connections: 1)
        defer { client.shutdown() }
        let answered = DispatchSemaphore(value: 0)
        let answer = Mutex<ClickHouseAnswer?>(nil)
        let question = ServerCapabilities.question
        let request = ClickHouseRequest(
            sql: question.sql, parameters: question.parameters, settings: question.settings,
            timeoutMilliseconds: Self.timeoutMilliseconds)
        client.submit(request) { received in
            answer.withLock { $0 = received }
            answered.signal()
        }
        answered.wait()
        switch answer.withLock({ $0 }) {
        case .acknowledged(let response):
            let capabilities = try ServerCapabilities(answer: response.body)
            state.withLock { $0.capabilities = capabilities }
        case .exception(let exception): throw exception
        case .unknown(let fault): throw fault
        case nil: throw ServiceError("the ClickHouse client gave no answer")
        }
    }
}
