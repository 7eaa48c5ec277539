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

    /// - Parameter urls: routers to ask over HTTP; empty asks the one that the settings name.
    public init(settings: Settings, urls: [String], log: Logger) {
        self.settings = settings
        self.log = log
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
        var positions: [GroupPosition]
        var group: KafkaGroupAnswer
        var oldest: [Int32: Int64]
        var deadLetters: StatusReport.DeadLetters
        var produced: Double
        var delivered: Double
    }

    private struct KafkaGroupAnswer: Sendable {
        var state: String?
        var members: [StatusReport.Member]
    }

    public func read() async -> StatusReport {
        var report = StatusReport(group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        async let clickHouse = server("clickhouse") { try await askClickHouse() }
        async let redis = limited("redis") { [settings] in try Self.askRedis(settings) }
        async let routers = asked()
        let postgres = await limited("postgres") { [settings] in try Self.askPostgres(settings) }
        let progress = (try? postgres.get())?.progress ?? PartitionProgress()
        let kafka = await limited("kafka") { [settings, log] in
            try Self.askKafka(settings, log, progress: progress)
        }
        report.at = TimeText.rfc3339(milliseconds: WallClock.milliseconds()) ?? ""
        report.servers = [
            Self.server("kafka", kafka.map(\.milliseconds)), Self.server("postgres", postgres.map(\.milliseconds)),
            await clickHouse, Self.server("redis", await redis),
        ]
        if case .success(let answer) = kafka { Self.fill(&report, answer) }
        if case .success(let answer) = postgres {
            report.pauses =
                PauseReport(
                    answer.pauses, group: report.group, topic: report.topic, changed: []
                ).pauses
            report.lostRecords = answer.lostRecords
        }
        let statuses = await routers
        for (url, status) in statuses {
            report.routers.append(
                .init(
                    url: url, version: status.version ?? "?", phase: status.phase ?? "?",
                    uptimeSeconds: status.uptime_seconds ?? 0, bufferedBytes: status.buffered_bytes ?? 0))
        }
        report.openCircuits = Set(statuses.flatMap { ($0.1.open_circuits ?? []).map(\.client_id) }).sorted()
        StatusVerdict.judge(&report, statuses.map(\.1))
        return report
    }

    private static func fill(_ report: inout StatusReport, _ answer: KafkaAnswer) {
        report.groupState = answer.group.state
        report.members = answer.group.members
        report.partitions = answer.positions.map { position in
            .init(
                partition: position.partition.partition, committed: position.committed, high: position.high,
                lag: position.lag, oldestSeconds: answer.oldest[position.partition.partition],
                stopped: position.stopReason)
        }
        report.lag = report.partitions.reduce(0) { $0 + $1.lag }
        report.oldestSeconds = answer.oldest.values.max()
        report.deadLetters = answer.deadLetters
        report.producedPerSecond = answer.produced
        report.deliveredPerSecond = answer.delivered
    }

    // MARK: - Questions

    private func limited<Value: Sendable>(
        _ name: String, _ body: @escaping @Sendable () throws -> Value
    ) async -> Result<Value, any Error> {
        do {
            return .success(try await TimeLimit.run(Self.serverSeconds, name, body))
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

    private static func askKafka(_ settings: Settings, _ log: Logger, progress: PartitionProgress) throws -> KafkaAnswer
    {
        let before = WallClock.milliseconds()
        let kafka = try KafkaStatus(settings: settings, log: log)
        let group = try kafka.group()
        let milliseconds = Int(WallClock.milliseconds() - before)
        let first = try kafka.positions(progress: progress)
        let firstAt = ContinuousClock.now
        let deadLetters = try kafka.deadLetters(nowMilliseconds: before)
        let left = rateSeconds - (ContinuousClock.now - firstAt) / .seconds(1)
        if left > 0 { Thread.sleep(forTimeInterval: left) }
        let positions = try kafka.positions(progress: progress)
        let seconds = max(rateSeconds, (ContinuousClock.now - firstAt) / .seconds(1))
        let oldest = try kafka.oldest(positions, nowMilliseconds: WallClock.milliseconds())
        func passed(_ value: (GroupPosition) -> Int64) -> Double {
            max(0, Double(positions.map(value).reduce(0, +) - first.map(value).reduce(0, +))) / seconds
        }
        let members = (group?.members ?? []).map { member in
            StatusReport.Member(
                id: member.id, host: member.host,
                partitions: member.partitions.filter { $0.topic == settings.kafka.rawTopic }.map(\.partition).sorted())
        }
        return KafkaAnswer(
            milliseconds: milliseconds, positions: positions,
            group: KafkaGroupAnswer(state: group?.state ?? "Empty", members: members), oldest: oldest,
            deadLetters: deadLetters, produced: passed(\.high), delivered: passed(\.next))
    }

    /// Routers that answer, and are of this group.
    private func asked() async -> [(String, MemberStatus)] {
        var found: [(String, MemberStatus)] = []
        for url in urls {
            let answer = await limited(url) { try MemberStatus.read(url) }
            if case .success(let status) = answer, status.group_id == settings.kafka.groupID {
                found.append((url, status))
            }
        }
        return found
    }
}
