import ClientStore
import Foundation
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

public struct ReplayOptions: Sendable {
    public var filter: DeadLetterFilter
    public var isDryRun = false
    /// At most so many are judged.
    public var limit: Int?
    public var ratePerSecond: Double?
    /// Letters that replays tried so often in vain are left alone.
    public var maxAttempts: Int?
    /// One jq program for every value.
    public var jq: String?

    public init(filter: DeadLetterFilter) { self.filter = filter }

    func document() throws -> String {
        var document = filter.document
        if let limit { document["limit"] = ["\(limit)"] }
        if let maxAttempts { document["max_attempts"] = ["\(maxAttempts)"] }
        if jq != nil { document["jq"] = ["yes"] }
        return try JSONDocument.text(document)
    }
}

/// `router dlq replay`: dead letters become rows under the coordinates of their origins.
///
/// It commits nothing, writes nothing to Kafka, and can be killed at any moment: what has a row is passed over by the
/// next run.
public final class DeadLetterReplay {
    /// How often a letter that failed is tried again while following: after 10 s at first, then twice as long each time.
    static let firstRetryMilliseconds: Int64 = 10_000
    static let lastRetryMilliseconds: Int64 = 600_000

    private struct Retry {
        var failures = 0
        var dueMilliseconds: Int64 = 0
    }

    private let settings: Settings
    private let log: Logger
    private let options: ReplayOptions
    private let jq: JQProgram?
    private let warehouse: Warehouse
    private let topic: DeadLetterTopic
    private let postgres: PostgresSettings

    /// - Throws: at once, and with nothing touched, when the jq program is not one.
    public init(settings: Settings, options: ReplayOptions, log: Logger) throws {
        self.settings = settings
        self.options = options
        self.log = log
        jq = try options.jq.map { try JQProgram($0) }
        warehouse = Warehouse(settings: settings, connections: 6)
        topic = try DeadLetterTopic(settings: settings, log: log)
        postgres = settings.postgresSettings
    }

    /// All that is there now.
    public func replay(progress: (String) -> Void) async throws -> ReplayReport {
        defer { end() }
        var retries: [ReplayRound.Key: Retry] = [:]
        return try await round(&retries, shouldStop: { false }, progress: progress)
    }

    /// Goes on until it is told to stop: new dead letters, and those that failed, at growing pauses.
    ///
    /// - Parameter report: told of each round that had something to do.
    public func follow(
        intervalMilliseconds: Int, shouldStop: @Sendable () -> Bool, report: (ReplayReport) throws -> Void
    ) async throws {
        defer { end() }
        var retries: [ReplayRound.Key: Retry] = [:]
        while !shouldStop() {
            do {
                let one = try await round(&retries, shouldStop: shouldStop, progress: { _ in })
                if one.delivered + one.failed + one.skipped > 0 { try report(one) }
            } catch {
                // A server away, or another replay: what a service waits out.
                log.warning("a round of the replay failed; it is tried again", metadata: ["error": "\(error)"])
            }
            let end = ContinuousClock.now + .milliseconds(intervalMilliseconds)
            while ContinuousClock.now < end, !shouldStop() { try await Task.sleep(for: .milliseconds(100)) }
        }
    }

    private func end() {
        jq?.close()
        warehouse.shutdown()
    }

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    // MARK: One round

    private func round(
        _ retries: inout [ReplayRound.Key: Retry], shouldStop: () -> Bool, progress: (String) -> Void
    ) async throws -> ReplayReport {
        let start = ContinuousClock.now
        try await warehouse.ask(DestinationProbe.server)
        let connection = try PostgresConnection(postgres)
        // Committed first: what is below it, no router is at any more.
        let settled = try topic.kafka.settled()
        let discards = try DeadLetterDiscards.load(connection, topic: topic.rawTopic)
        let catalog = try topic.catalog(options.filter, settled: settled, progress: progress)
        var report = ReplayReport(topic: topic.rawTopic, deadLetterTopic: topic.name, dryRun: options.isDryRun)
        report.inFlight = catalog.seen.inFlight
        report.malformed = catalog.seen.malformed
        report.ofOtherTopics = catalog.seen.ofOtherTopics
        let exhausted = try options.maxAttempts.map {
            try DeadLetterAttempts.exhausted(connection, topic: topic.rawTopic, attempts: $0)
        }
        let places = places(catalog, discards, exhausted ?? [], retries, &report)
        if !places.isEmpty {
            report = try await run(places, report, connection, &retries, shouldStop, progress)
        }
        let took = ContinuousClock.now - start
        report.seconds = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        return report
    }

    private func places(
        _ catalog: DeadLetterCatalog, _ discards: DeadLetterDiscards, _ exhausted: Set<ReplayRound.Key>,
        _ retries: [ReplayRound.Key: Retry], _ report: inout ReplayReport
    ) -> [DeadLetterCatalog.Place] {
        var places: [DeadLetterCatalog.Place] = []
        let now = Self.now()
        catalog.forEachSelected { partition, letter in
            let key = ReplayRound.Key(partition: partition, offset: letter.offset)
            if let retry = retries[key], retry.dueMilliseconds > now { return }
            report.selected += 1
            if discards.contains(partition, letter.offset) {
                report.discarded += 1
            } else if exhausted.contains(key) {
                report.exhausted += 1
            } else {
                places.append(letter.place)
            }
        }
        places.sort()
        return places
    }

    private func run(
        _ places: [DeadLetterCatalog.Place], _ report: ReplayReport, _ connection: PostgresConnection,
        _ retries: inout [ReplayRound.Key: Retry], _ shouldStop: () -> Bool, _ progress: (String) -> Void
    ) async throws -> ReplayReport {
        if options.isDryRun {
            let finder = try await RowFinder(warehouse: warehouse, topic: topic.rawTopic, connection: connection)
            let round = ReplayRound(
                topic: topic, finder: finder, settings: settings, options: options, jq: jq,
                postgres: connection, inserter: nil, rehearsal: rehearsal(finder), report: report,
                recordMended: { _ in })
            try await round.run(places, shouldStop: shouldStop, progress: progress) { _ in }
            return round.report
        }
        let run = try await ReinsertRun(
            .replay, settings: settings, warehouse: warehouse, options: try options.document(), log: log,
            waiting: progress)
        // Databases after the lock: one that another run has just filled is among them.
        let finder = try await RowFinder(warehouse: warehouse, topic: topic.rawTopic, connection: connection)
        let inserter = try await Reinserter(settings: settings, warehouse: warehouse, finder: finder, run: run)
        defer { inserter.shutdown() }
        var report = report
        report.runID = run.id.description
        let round = ReplayRound(
            topic: topic, finder: finder, settings: settings, options: options, jq: jq, postgres: run.postgres,
            inserter: inserter, rehearsal: rehearsal(finder), report: report
        ) { [topic] mended in
            try MendedOrigins.add(run.postgres, topic: topic.rawTopic, run: run.id, mended)
        }
        do {
            try await round.run(places, shouldStop: shouldStop, progress: progress) { failures in
                try DeadLetterAttempts.add(run.postgres, topic: topic.rawTopic, failures)
            }
        } catch {
            run.end(isDone: false, isQuiet: inserter.isQuiet, delivered: inserter.delivered, failed: inserter.failed)
            throw error
        }
        run.end(isDone: true, isQuiet: true, delivered: inserter.delivered, failed: inserter.failed)
        for key in round.unsettled {
            var retry = retries[key] ?? Retry()
            retry.failures += 1
            let pause = Self.firstRetryMilliseconds << Int64(min(retry.failures - 1, 16))
            retry.dueMilliseconds = Self.now() + min(pause, Self.lastRetryMilliseconds)
            retries[key] = retry
        }
        return round.report
    }

    private func rehearsal(_ finder: RowFinder) -> ReplayRehearsal {
        ReplayRehearsal(warehouse: warehouse, unreadable: finder.unreadable)
    }
}

/// How often replays tried a dead letter in vain, in Postgres.
enum DeadLetterAttempts {
    static func exhausted(
        _ connection: PostgresConnection, topic: String, attempts: Int
    ) throws(PostgresError) -> Set<ReplayRound.Key> {
        let rows = try connection.query(
            """
            SELECT partition, kafka_offset FROM public.dead_letter_attempts WHERE topic = $1 AND attempts >= $2::integer
            """, [topic, String(attempts)]
        ).rows
        var keys: Set<ReplayRound.Key> = []
        for row in rows {
            keys.insert(
                ReplayRound.Key(
                    partition: Int32(clamping: try row.requiredInteger("partition")),
                    offset: try row.requiredInteger("kafka_offset")))
        }
        return keys
    }

    static func add(
        _ connection: PostgresConnection, topic: String, _ failures: [(ReplayRound.Key, reason: String)]
    ) throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO public.dead_letter_attempts (topic, partition, kafka_offset, attempts, last_reason)
            SELECT $1, p, o, 1, r FROM unnest($2::integer[], $3::bigint[], $4::text[]) AS f (p, o, r)
            ON CONFLICT (topic, partition, kafka_offset) DO UPDATE
               SET attempts = dead_letter_attempts.attempts + 1, last_reason = excluded.last_reason, last_at = now()
            """,
            [
                topic, array(failures.map { String($0.0.partition) }), array(failures.map { String($0.0.offset) }),
                array(failures.map(\.reason)),
            ])
    }

    /// Postgres' text form of an array of numbers, or of names without quotes and commas.
    private static func array(_ values: [String]) -> String { "{" + values.joined(separator: ",") + "}" }
}
