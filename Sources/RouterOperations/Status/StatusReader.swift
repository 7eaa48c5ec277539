import Foundation
import Logging
import OffsetStore
import PostgresClient
import RedisClient
import RouterConfiguration
import RouterConnections
import RouterDatabase

/// Asks Kafka, the servers and the running routers how it goes. It changes nothing.
public struct StatusReader: Sendable {
    static let questionMilliseconds = 4_000
    /// All that is asked of one server.
    static let serverSeconds = 10.0
    /// A rate is measured over this long at least.
    static let rateSeconds = 1.0

    private let settings: Settings
    private let log: Logger
    private let urls: [String]
    private let limits: ProgressLimits

    /// - Parameter urls: routers to ask over HTTP; empty asks the one that the settings name.
    public init(settings: Settings, urls: [String], log: Logger) {
        self.settings = settings
        self.log = log
        limits = ProgressLimits(settings: settings)
        self.urls = urls.isEmpty ? [MemberStatus.url(settings)] : urls
    }

    private struct PostgresAnswer: Sendable {
        var milliseconds: Int
        var pauses = Pauses()
        var progress = PartitionProgress()
        var lostRecords: Int?
    }

    private struct KafkaAnswer: Sendable {
        var milliseconds: Int
        var group: KafkaGroupAnswer
        var oldest: [Int32: Int64]
        var deadLetters: StatusReport.DeadLetters
        var movement: GroupMovement
    }

    private struct KafkaGroupAnswer: Sendable {
        var state: String?
        var members: [StatusReport.Member]
    }

    public func read() async -> StatusReport {
        var report = StatusReport(group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        async let clickHouse = server("clickhouse") { try await askClickHouse() }
        async let redis = limited("redis") { [settings] in try Self.askRedis(settings) }
        async let routers = askRouters()
        let postgres = await limited("postgres") { [settings] in try Self.askPostgres(settings) }
        let known = try? postgres.get()
        let progress = known?.progress ?? PartitionProgress()
        // Before Kafka: a partition whose router says that it stands still need not be watched until that is proven.
        let asked = await routers
        let told = AskedRouter.partitions(asked)
        let paused = Set((known?.pauses ?? Pauses()).partitions.keys)
        let kafka = await limited("kafka", Self.serverSeconds + limits.lookSeconds) { [settings, log, limits] in
            try Self.askKafka(settings, log, progress: progress, limits) { partition in
                paused.contains(partition) || told[partition]?.stalled_seconds.map { !limits.isYoung($0) } ?? false
            }
        }
        report.at = TimeText.rfc3339(milliseconds: WallClock.milliseconds()) ?? ""
        report.servers = [
            Self.server("kafka", kafka.map(\.milliseconds)), Self.server("postgres", postgres.map(\.milliseconds)),
            await clickHouse, Self.server("redis", await redis),
        ]
        if case .success(let answer) = kafka { Self.fill(&report, answer) }
        if let answer = known {
            report.pauses =
                PauseReport(
                    answer.pauses, group: report.group, topic: report.topic, changed: []
                ).pauses
            report.lostRecords = answer.lostRecords
        }
        Self.fill(&report, asked)
        StatusVerdict.judge(&report, asked, limits)
        return report
    }

    static func fill(_ report: inout StatusReport, _ asked: [AskedRouter]) {
        for router in asked {
            switch router.answer {
            case .status(let status):
                report.routers.append(
                    .init(
                        url: router.url, version: status.version ?? "?", phase: status.phase ?? "?",
                        uptimeSeconds: status.uptime_seconds ?? 0, bufferedBytes: status.buffered_bytes ?? 0))
            case .otherGroup(let group):
                report.unanswered.append(.init(url: router.url, error: "it is of the group '\(group)'"))
            case .none(let error, _):
                report.unanswered.append(.init(url: router.url, error: error))
            }
        }
        let circuits = asked.flatMap { $0.status?.open_circuits ?? [] }.map {
            StatusReport.Circuit(
                clientID: $0.client_id, state: $0.state ?? "open", since: $0.since, openedCount: $0.opened_count)
        }
        // Several members may know of one: the one that has known it for longest.
        report.openCircuits = Dictionary(circuits.map { ($0.clientID, $0) }) {
            $0.since ?? "" <= $1.since ?? "" ? $0 : $1
        }.values.sorted { $0.clientID < $1.clientID }
        let told = AskedRouter.partitions(asked)
        for index in report.partitions.indices {
            guard let word = told[report.partitions[index].partition] else { continue }
            report.partitions[index].waitingFor = word.waiting_for
            report.partitions[index].stalledSeconds = word.stalled_seconds
            report.partitions[index].lastMovedAt = word.last_moved_at
            report.partitions[index].toldSeconds = word.lag_seconds
        }
    }

    private static func fill(_ report: inout StatusReport, _ answer: KafkaAnswer) {
        report.groupState = answer.group.state
        report.members = answer.group.members
        report.partitions = answer.movement.positions.map { position in
            .init(
                partition: position.partition.partition, committed: position.committed, high: position.high,
                lag: position.lag, oldestSeconds: answer.oldest[position.partition.partition],
                stopped: position.stopReason, passed: answer.movement.passed(position))
        }
        report.lookedSeconds = answer.movement.seconds
        report.lag = report.partitions.reduce(0) { $0 + $1.lag }
        report.oldestSeconds = answer.oldest.values.max()
        report.deadLetters = answer.deadLetters
        report.producedPerSecond = answer.movement.producedPerSecond
        report.deliveredPerSecond = answer.movement.deliveredPerSecond
    }

    // MARK: - Questions

    private func limited<Value: Sendable>(
        _ name: String, _ seconds: Double = serverSeconds, _ body: @escaping @Sendable () throws -> Value
    ) async -> Result<Value, any Error> {
        do {
            return .success(try await TimeLimit.run(seconds, name, body))
        } catch {
            return .failure(error)
        }
    }

    private func server(_ name: String, _ body: () async throws -> Int) async -> StatusReport.Server {
        do {
            return .init(name: name, ok: true, milliseconds: try await body())
        } catch {
            return .init(name: name, ok: false, error: TextTable.oneLine("\(error)"))
        }
    }

    private static func server(_ name: String, _ answer: Result<Int, any Error>) -> StatusReport.Server {
        switch answer {
        case .success(let milliseconds): .init(name: name, ok: true, milliseconds: milliseconds)
        case .failure(let error): .init(name: name, ok: false, error: TextTable.oneLine("\(error)"))
        }
    }

    private static func askPostgres(_ settings: Settings) throws -> PostgresAnswer {
        var postgres = settings.postgresSettings
        postgres.applicationName = "router status"
        postgres.connectTimeoutMilliseconds = questionMilliseconds
        postgres.statementTimeoutMilliseconds = questionMilliseconds
        let before = WallClock.milliseconds()
        let connection = try PostgresConnection(postgres)
        var answer = PostgresAnswer(milliseconds: Int(WallClock.milliseconds() - before))
        // A database that was never upgraded has no such tables, which is for `doctor` to say.
        let there = try DatabaseState.read(connection).missingTables
        if !there.contains("pauses") {
            answer.pauses = try Pauses.read(
                connection, group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        }
        if there.isDisjoint(with: ["partition_progress", "offset_acceptances"]) {
            answer.progress = try PartitionProgress.read(
                connection, group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        }
        if !there.contains("retention_losses") {
            let offsets = OffsetRepository(connection, group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
            answer.lostRecords = AuditLoss.all(noted: try offsets.losses(), found: []).reduce(0) {
                $0 + $1.offsets.count
            }
        }
        return answer
    }

    private static func askRedis(_ settings: Settings) throws -> Int {
        let before = WallClock.milliseconds()
        _ = try RedisConnection(
            settings.redisURL, connectTimeoutMilliseconds: questionMilliseconds,
            commandTimeoutMilliseconds: questionMilliseconds)
        return Int(WallClock.milliseconds() - before)
    }

    private func askClickHouse() async throws -> Int {
        let questions = ClickHouseQuestions(settings: settings)
        defer { questions.shutdown() }
        let before = WallClock.milliseconds()
        _ = try await questions.ask("SELECT toUInt64(1)")
        return Int(WallClock.milliseconds() - before)
    }

    /// - Parameter isToldOf: the partition is held back, or its router says for itself that it stands still.
    private static func askKafka(
        _ settings: Settings, _ log: Logger, progress: PartitionProgress, _ limits: ProgressLimits,
        isToldOf: (Int32) -> Bool
    ) throws -> KafkaAnswer {
        let before = WallClock.milliseconds()
        let kafka = try KafkaStatus(settings: settings, log: log)
        let group = try kafka.group()
        let milliseconds = Int(WallClock.milliseconds() - before)
        var movement = GroupMovement(try kafka.positions(progress: progress))
        let deadLetters = try kafka.deadLetters(nowMilliseconds: before)
        try movement.lookAgain(after: rateSeconds) { try kafka.positions(progress: progress) }
        let oldest = try kafka.oldest(movement.positions, nowMilliseconds: WallClock.milliseconds())
        let members = (group?.members ?? []).map { member in
            StatusReport.Member(
                id: member.id, host: member.host,
                partitions: member.partitions.filter { $0.topic == settings.kafka.rawTopic }.map(\.partition).sorted())
        }
        if !members.isEmpty {
            try movement.watch(
                for: limits.lookSeconds,
                until: { position in
                    position.stopReason != nil || isToldOf(position.partition.partition)
                        || limits.isYoung(oldest[position.partition.partition].map(Double.init))
                }, { try kafka.positions(progress: progress) })
        }
        return KafkaAnswer(
            milliseconds: milliseconds, group: KafkaGroupAnswer(state: group?.state ?? "Empty", members: members),
            oldest: oldest, deadLetters: deadLetters, movement: movement)
    }

    private func askRouters() async -> [AskedRouter] {
        let group = settings.kafka.groupID
        return await withTaskGroup(of: (Int, AskedRouter).self) { tasks in
            for (index, url) in urls.enumerated() {
                tasks.addTask {
                    let answer = await limited(url) { AskedRouter.ask(url, group: group) }
                    let late = AskedRouter(url: url, answer: .none(error: "no answer in time", isTimeout: true))
                    return (index, (try? answer.get()) ?? late)
                }
            }
            var found: [(Int, AskedRouter)] = []
            for await answer in tasks { found.append(answer) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
