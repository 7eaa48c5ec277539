import ClickHouseClient
import ClientStore
import Foundation
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

public struct RebuildOptions: Sendable {
    public var client: ClientID
    /// Only records whose Kafka timestamp is at or after this, milliseconds since 1970; those without one always.
    public var sinceMilliseconds: Int64?
    public var isDryRun = false
    /// Take records whose key is not the client's any more (it was rotated), too.
    public var takesFormerKeys = false

    public init(client: ClientID) { self.client = client }
}

/// `router rebuild`: puts back what a client's table misses and the raw topic still has, after a restore of ClickHouse.
///
/// Only offsets below the committed one: what is above is the router's. And only records without a dead letter: those
/// are `router dlq replay`'s. A record below the committed offset without a dead letter was delivered once.
public final class Rebuilder {
    /// A part: what is held in memory at a time.
    private static let partRows = 20_000
    private static let partBytes = 32 << 20
    /// Offsets that one part passes at most, so that the dead letters of a part stay few.
    private static let partOffsets: Int64 = 1 << 18

    private let settings: Settings
    private let options: RebuildOptions
    private let log: Logger
    private let warehouse: Warehouse
    private var decoder: EventDecoder
    private var fields = EventFields()

    public init(settings: Settings, options: RebuildOptions, log: Logger) {
        self.settings = settings
        self.options = options
        self.log = log
        warehouse = Warehouse(settings: settings, connections: 6)
        // Whatever the limit is now: a record without a dead letter was within it.
        decoder = EventDecoder(topic: settings.kafka.rawTopic, maxEventBytes: Int(Int32.max))
    }

    public func rebuild(progress: (String) -> Void) async throws -> RebuildReport {
        let start = ContinuousClock.now
        defer { warehouse.shutdown() }
        let connection = try PostgresConnection(settings.postgresSettings)
        let entry = try entry(ClientRepository(connection))
        try await checkTable(entry)
        let kafka = try AuditKafka(settings: settings, log: log)
        let partitions = try kafka.rawPartitions()
        if options.takesFormerKeys { try checkDeadLettersAreWhole(kafka) }
        progress("reading the dead letters")
        let judged = Dictionary(partitions.map { ($0.id, $0.judged) }, uniquingKeysWith: { $1 })
        let deadLetters = try kafka.deadLetters(judged: judged) { progress("reading the dead letters: \($0.grouped)") }
        var report = RebuildReport(
            clientID: entry.id.description, databaseName: entry.databaseName, topic: settings.kafka.rawTopic,
            dryRun: options.isDryRun)
        var run: ReinsertRun?
        if !options.isDryRun {
            let started = try await ReinsertRun(
                .rebuild, settings: settings, warehouse: warehouse,
                options: try JSONDocument.text(["client": entry.id.description]), log: log, waiting: progress)
            run = started
            report.runID = started.id.description
        }
        let finder = try await RowFinder(
            warehouse: warehouse, topic: settings.kafka.rawTopic, connection: connection)
        var inserter: Reinserter?
        if let run {
            inserter = try await Reinserter(settings: settings, warehouse: warehouse, finder: finder, run: run)
        }
        defer { inserter?.shutdown() }
        do {
            let scan = try PartitionScan(properties: settings.kafkaProperties, log: log.kafkaLog)
            for partition in partitions {
                try await rebuild(partition, entry, scan, deadLetters, finder, inserter, &report, progress)
            }
        } catch {
            run?.end(
                isDone: false, isQuiet: inserter?.isQuiet ?? true, delivered: report.rebuilt, failed: report.refused)
            throw error
        }
        run?.end(isDone: true, isQuiet: true, delivered: report.rebuilt, failed: report.refused)
        report.unknownClients = finder.unreadable.clients(try ClientRepository(connection).list())
        let took = ContinuousClock.now - start
        report.seconds = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        return report
    }

    // MARK: Before it begins

    private func entry(_ repository: ClientRepository) throws -> ClientEntry {
        guard var entry = try repository.entries([options.client])[options.client] else {
            throw OperationError(
                "client_not_found",
                "there is no client with the id \(options.client); `router client list` shows all")
        }
        guard entry.status == .active || entry.status == .suspended else {
            throw OperationError(
                "client_not_active",
                "client \(entry.id) is \(entry.status.rawValue); only an active or suspended one has a table to rebuild"
            )
        }
        // What it sent while it was suspended has dead letters; what it sent before counts.
        entry.status = .active
        return entry
    }

    private func checkTable(_ entry: ClientEntry) async throws {
        do {
            try await warehouse.ask(DestinationProbe.destination(database: entry.databaseName))
        } catch let exception as ClickHouseException where ServerVerdict(code: exception.code) == .destinationFault {
            throw OperationError(
                "destination_missing",
                "the table of \(entry.databaseName) is missing or has not all columns: \(exception); run: router provision "
                    + "\(entry.id)")
        }
    }

    /// Without the key only the missing dead letter shows that the record was delivered: none may have been removed.
    private func checkDeadLettersAreWhole(_ kafka: AuditKafka) throws {
        let topic = settings.kafka.deadLetterTopic
        for id in try kafka.partitionIDs(topic) where try kafka.range(topic, id).lowerBound > 0 {
            throw OperationError(
                "dead_letters_removed",
                "\(topic)/\(id) does not reach back to its beginning (retention), so whether a record with a former key "
                    + "was refused when it came cannot be told; run it without --former-keys")
        }
    }

    // MARK: One partition

    private struct PartIsFull: Error {}

    private func rebuild(
        _ partition: AuditKafka.Partition, _ entry: ClientEntry, _ scan: PartitionScan, _ deadLetters: DeadLetterIndex,
        _ finder: RowFinder, _ inserter: Reinserter?, _ report: inout RebuildReport, _ progress: (String) -> Void
    ) async throws {
        let place = TopicPartition(topic: settings.kafka.rawTopic, partition: partition.id)
        var lo = partition.judged.lowerBound
        while lo < partition.judged.upperBound {
            progress("\(place), offsets from \(lo.grouped): \(report.rebuilt.grouped) rows put back")
            let hi = min(lo + Self.partOffsets, partition.judged.upperBound)
            var dead: [Int64: [Int64?]] = [:]
            deadLetters.forEach(partition.id, in: lo..<hi) {
                dead[$0.offset, default: []].append($0.timestampMilliseconds)
            }
            var blocks = ReinsertBlocks()
            var rows = 0
            var next = hi
            do {
                try scan.read(place, lo..<hi) { record in
                    report.read += 1
                    // A dead letter of the topic's former log, at the same offset, is another record's.
                    let isDead = dead[record.offset]?.contains {
                        PartitionOrigin.mayBeSame($0, record.timestampMilliseconds)
                    }
                    guard take(record, entry, isDead: isDead == true, &blocks, &report) else { return }
                    rows += 1
                    guard rows < Self.partRows, blocks.bytes < Self.partBytes else {
                        next = record.offset + 1
                        throw PartIsFull()
                    }
                }
            } catch is PartIsFull {}
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            let sealed = blocks.sealed(topic: settings.kafka.rawTopic, nowMilliseconds: now)
            try await putBack(sealed, finder, inserter, &report)
            lo = next
        }
    }

    /// - Returns: true when the record became a row of the blocks.
    private func take(
        _ record: KafkaRecord, _ entry: ClientEntry, isDead: Bool, _ blocks: inout ReinsertBlocks,
        _ report: inout RebuildReport
    ) -> Bool {
        if let since = options.sinceMilliseconds, let timestamp = record.timestampMilliseconds, timestamp < since {
            return false
        }
        var view = RecordView(
            value: record.value, partition: record.partition, offset: record.offset,
            timestampMilliseconds: record.timestampMilliseconds)
        // As the router reads them: a header block that does not parse counts as none.
        try? record.forEachHeader { view.take(header: $0, value: $1) }
        guard case .credentials(let id, let keyHash) = decoder.open(view), id == entry.id else { return false }
        report.ofClient += 1
        if isDead {
            report.deadLettered += 1
            return false
        }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        if !options.takesFormerKeys,
            let refusal = ClientJudgement.refusal(for: entry, keyHash: keyHash, nowMilliseconds: now)
        {
            report.addRefusal(record.partition, record.offset, refusal)
            return false
        }
        if let refusal = decoder.finish(view, into: &fields) {
            report.addRefusal(record.partition, record.offset, refusal)
            return false
        }
        blocks.append(
            fields, client: entry, partition: record.partition,
            origin: PartitionOrigin(offset: record.offset, timestampMilliseconds: record.timestampMilliseconds),
            nowMilliseconds: now)
        return true
    }

    private func putBack(
        _ blocks: [Reinserter.Block], _ finder: RowFinder, _ inserter: Reinserter?, _ report: inout RebuildReport
    ) async throws {
        for var block in blocks {
            let held = try await finder.held(block.partition, block.origins)
            try checkReadable(block, finder)
            report.present += held.count
            block.remove(held)
            guard !block.origins.isEmpty else { continue }
            guard let inserter else {
                report.rebuilt += block.origins.count
                continue
            }
            for outcome in try await inserter.insert([block]) {
                report.rebuilt += outcome.delivered.count
                for (offset, refusal) in outcome.refused { report.addRefusal(block.partition, offset, refusal) }
            }
            try checkReadable(block, finder)
        }
    }

    /// Other clients' tables may be unreadable: no record that names this one has its row there. Its own may not.
    private func checkReadable(_ block: Reinserter.Block, _ finder: RowFinder) throws {
        guard let error = finder.unreadable.error(block.database) else { return }
        throw OperationError(
            "destination_unreadable",
            "the table of \(block.database) cannot be read, so what it misses cannot be told: \(error); run the command "
                + "again once it can: it goes on where this one stopped", isRetriable: true)
    }
}
