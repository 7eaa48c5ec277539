import ClientStore
import Foundation
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// What has become of a dead letter. A row wins over everything.
public enum DeadLetterState: String, Encodable, Sendable, CaseIterable {
    case open, delivered, discarded
    /// It may have a row in a table that cannot be read.
    case unknown
}

/// `router dlq stats|list|show|export|discard`: the dead letters of the topic, with what has become of each since.
public final class DeadLetterSurvey {
    private let settings: Settings
    private let warehouse: Warehouse
    private let topic: DeadLetterTopic
    private let connection: PostgresConnection

    public init(settings: Settings, log: Logger) throws {
        self.settings = settings
        warehouse = Warehouse(settings: settings)
        topic = try DeadLetterTopic(settings: settings, log: log)
        connection = try PostgresConnection(settings.postgresSettings)
    }

    public func shutdown() { warehouse.shutdown() }

    // MARK: Looking

    struct Catalog {
        var letters: DeadLetterCatalog
        var discards: DeadLetterDiscards
        /// nil where every table could be read.
        var unknown: UnknownOwners?

        func state(_ partition: Int32, _ letter: DeadLetterCatalog.Letter) -> DeadLetterState {
            if letter.isDelivered { return .delivered }
            if unknown?.mayHold(partition, letter.offset, named: letters.client(letter)) == true { return .unknown }
            return discards.contains(partition, letter.offset) ? .discarded : .open
        }

        /// Chosen by the filters and of one of the states, the oldest failure first.
        func places(_ states: Set<DeadLetterState>) -> [(partition: Int32, letter: DeadLetterCatalog.Letter)] {
            var found: [(partition: Int32, letter: DeadLetterCatalog.Letter)] = []
            letters.forEachSelected { partition, letter in
                if states.contains(state(partition, letter)) { found.append((partition, letter)) }
            }
            return found.sorted {
                ($0.letter.failedAtMilliseconds, $0.letter.place) < ($1.letter.failedAtMilliseconds, $1.letter.place)
            }
        }
    }

    func catalog(_ filter: DeadLetterFilter, progress: (String) -> Void) async throws -> Catalog {
        let settled = try topic.kafka.settled()
        let discards = try DeadLetterDiscards.load(connection, topic: topic.rawTopic)
        var letters = try topic.catalog(filter, settled: settled, progress: progress)
        progress("asking which have a row")
        let finder = try await RowFinder(warehouse: warehouse, topic: topic.rawTopic, connection: connection)
        for partition in letters.partitions {
            let origins = (letters.letters[partition] ?? []).filter(\.isSelected).map(\.origin)
            letters.setDelivered(partition, try await finder.held(partition, origins))
        }
        return Catalog(
            letters: letters, discards: discards,
            unknown: try UnknownOwners(finder.unreadable, connection, topic: topic.rawTopic))
    }

    public func stats(_ filter: DeadLetterFilter, progress: (String) -> Void) async throws -> DeadLetterStats {
        let catalog = try await catalog(filter, progress: progress)
        var stats = DeadLetterStats(topic: topic.rawTopic, deadLetterTopic: topic.name)
        stats.add(catalog.letters.seen)
        stats.unknownClients = catalog.unknown?.clients(matching: filter) ?? []
        catalog.letters.forEachSelected { partition, letter in
            stats.add(
                catalog.state(partition, letter), reason: DeadLetterOrigin.name(ofReason: letter.reason),
                client: catalog.letters.client(letter), isVerified: letter.isClientVerified,
                failedAtMilliseconds: letter.failedAtMilliseconds)
        }
        return stats.finished()
    }

    /// - Parameters:
    ///   - states: those wanted; what is unknown may be open, and comes with it.
    ///   - limit: the oldest so many.
    ///   - body: called for each, in the order of the dead-letter topic.
    /// - Returns: how many there are, with those beyond the limit.
    public func letters(
        _ filter: DeadLetterFilter, _ states: Set<DeadLetterState>, limit: Int?, progress: (String) -> Void,
        _ body: (DeadLetterDocument) throws -> Void
    ) async throws -> (count: Int, seen: Int) {
        let catalog = try await catalog(filter, progress: progress)
        let chosen = catalog.places(states.contains(.open) ? states.union([.unknown]) : states)
        let shown = limit.map { Array(chosen.prefix(max(0, $0))) } ?? chosen
        var byPlace: [DeadLetterCatalog.Place: DeadLetterState] = [:]
        for (partition, letter) in shown { byPlace[letter.place] = catalog.state(partition, letter) }
        let places = byPlace.keys.sorted()
        var headers = DeadLetterHeaders(topic: topic.rawTopic)
        var count = 0
        _ = try topic.read(places[...]) { record in
            headers.read(record)
            guard let place = DeadLetterCatalog.Place(partition: record.partition, offset: record.offset),
                let state = byPlace[place],
                let document = DeadLetterDocument(record, headers, deadLetterTopic: topic.name, state: state)
            else { return true }
            try body(document)
            count += 1
            return true
        }
        return (chosen.count, count)
    }

    /// Every dead letter of one origin, or the one at a place of the dead-letter topic.
    public func show(_ place: DeadLetterPlace) async throws -> [DeadLetterDocument] {
        switch place.topic {
        case nil, .some(topic.rawTopic):
            var filter = DeadLetterFilter()
            filter.partitions = [place.partition]
            filter.offsets = place.offset...place.offset
            return try await show(filter, place) { _ in true }
        case .some(topic.name):
            return try await show(DeadLetterFilter(), place) {
                $0.place == DeadLetterCatalog.Place(partition: place.partition, offset: place.offset)
            }
        case .some(let other):
            throw OperationError(
                "dead_letter_not_found",
                "\(other) is neither the raw topic \(topic.rawTopic) nor the dead-letter topic \(topic.name)")
        }
    }

    private func show(
        _ filter: DeadLetterFilter, _ place: DeadLetterPlace, _ isWanted: (DeadLetterCatalog.Letter) -> Bool
    ) async throws -> [DeadLetterDocument] {
        let catalog = try await catalog(filter) { _ in }
        var wanted: [DeadLetterCatalog.Place: DeadLetterState] = [:]
        catalog.letters.forEachSelected { partition, letter in
            if isWanted(letter) { wanted[letter.place] = catalog.state(partition, letter) }
        }
        var found: [DeadLetterDocument] = []
        var headers = DeadLetterHeaders(topic: topic.rawTopic)
        let places = wanted.keys.sorted()
        _ = try topic.read(places[...]) { record in
            headers.read(record)
            guard let place = DeadLetterCatalog.Place(partition: record.partition, offset: record.offset),
                let state = wanted[place],
                var document = DeadLetterDocument(record, headers, deadLetterTopic: topic.name, state: state)
            else { return true }
            document.replayAttempts = try attempts(document)
            found.append(document)
            return true
        }
        guard !found.isEmpty else {
            throw OperationError(
                "dead_letter_not_found",
                "there is no dead letter at \(place); PARTITION/OFFSET are those of the raw topic, as `router dlq list` "
                    + "shows them; a batch that the router is still at is not looked at")
        }
        return found
    }

    private func attempts(_ document: DeadLetterDocument) throws -> Int {
        let rows = try connection.query(
            """
            SELECT attempts FROM public.dead_letter_attempts
             WHERE topic = $1 AND partition = $2::integer AND kafka_offset = $3::bigint
            """, [document.topic, String(document.partition), String(document.offset)]
        ).rows
        return Int(try rows.first?.requiredInteger("attempts") ?? 0)
    }

    // MARK: Giving up

    public func discard(
        _ filter: DeadLetterFilter, limit: Int?, why: String, isDryRun: Bool, progress: (String) -> Void
    ) async throws -> DiscardReport {
        guard why.contains(where: { !$0.isWhitespace }) else {
            throw OperationError("why_missing", "--why needs a reason that a person can read")
        }
        let catalog = try await catalog(filter, progress: progress)
        let chosen = catalog.places([.open]).prefix(limit ?? .max)
        var report = DiscardReport(
            topic: topic.rawTopic, dryRun: isDryRun, why: why, operatorName: OperatorName.current)
        report.discarded = chosen.count
        for (_, letter) in chosen { report.byReason[DeadLetterOrigin.name(ofReason: letter.reason), default: 0] += 1 }
        guard !isDryRun, !chosen.isEmpty else { return report }
        let id = UUID128.random().description
        report.discardID = id
        let options = try JSONDocument.text(filter.document)
        let ranges = Dictionary(grouping: chosen, by: \.partition).flatMap { partition, letters in
            DeadLetterDiscards.ranges(of: letters.map(\.letter.offset)).map { (partition, $0) }
        }
        try connection.transaction { connection in
            try connection.query(
                """
                INSERT INTO public.dead_letter_discards (discard_id, topic, operator, why, options, dead_letters)
                VALUES ($1::uuid, $2, $3, $4, $5::jsonb, $6::bigint)
                """, [id, topic.rawTopic, report.operatorName, why, options, String(chosen.count)])
            for start in stride(from: 0, to: ranges.count, by: Self.rangesAtOnce) {
                let some = ranges[start..<min(start + Self.rangesAtOnce, ranges.count)]
                func array(_ values: [String]) -> String { "{" + values.joined(separator: ",") + "}" }
                try connection.query(
                    """
                    INSERT INTO public.dead_letter_discard_ranges (discard_id, topic, partition, from_offset, to_offset)
                    SELECT $1::uuid, $2, p, f, t FROM unnest($3::integer[], $4::bigint[], $5::bigint[]) AS r (p, f, t)
                    """,
                    [
                        id, topic.rawTopic, array(some.map { String($0.0) }),
                        array(some.map { String($0.1.lowerBound) }),
                        array(some.map { String($0.1.upperBound) }),
                    ])
            }
        }
        return report
    }

    /// Within the time that a statement has, by far.
    private static let rangesAtOnce = 10_000
}

/// A place as it is typed: `PARTITION/OFFSET` of the raw topic, or with the raw or the dead-letter topic before it.
public struct DeadLetterPlace: Sendable, Equatable, CustomStringConvertible {
    public var topic: String?
    public var partition: Int32
    public var offset: Int64

    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let partition = Int32(parts[parts.count - 2]), partition >= 0,
            let offset = Int64(parts[parts.count - 1]), offset >= 0
        else { return nil }
        topic = parts.count == 3 ? String(parts[0]) : nil
        self.partition = partition
        self.offset = offset
    }

    public var description: String { (topic.map { $0 + "/" } ?? "") + "\(partition)/\(offset)" }
}
