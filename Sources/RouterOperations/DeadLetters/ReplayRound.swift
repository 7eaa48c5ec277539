import ClientStore
import Foundation
import KafkaClient
import PostgresClient
import RouterConfiguration
import RouterCore

/// One passage over chosen dead letters, part by part: read again, the fix-up, judged again, inserted unless there is a row.
final class ReplayRound {
    /// A part: what is held in memory at a time. Parts are cut by the letters alone, delivered ones too, so that a run after
    /// a killed one makes the same sets and with them the same tokens.
    static let partLetters = 20_000
    static let partBytes = 32 << 20

    struct Key: Hashable {
        var partition: Int32
        var offset: Int64
    }

    private let topic: DeadLetterTopic
    private let finder: RowFinder
    private let settings: Settings
    private let options: ReplayOptions
    private let jq: JQProgram?
    private let postgres: PostgresConnection
    /// nil in a dry run.
    private let inserter: Reinserter?
    private let rehearsal: ReplayRehearsal
    private var unknown: UnknownOwners?
    private let recordMended: ([(key: Key, client: ClientID)]) throws -> Void
    private let started = ContinuousClock.now
    private var decoder: EventDecoder
    private var judged = 0
    private(set) var report: ReplayReport
    /// Of those that failed or were skipped in this round: to be tried later by a replay that follows.
    private(set) var unsettled: [Key] = []

    init(
        topic: DeadLetterTopic, finder: RowFinder, settings: Settings, options: ReplayOptions, jq: JQProgram?,
        postgres: PostgresConnection, inserter: Reinserter?, rehearsal: ReplayRehearsal, report: ReplayReport,
        recordMended: @escaping ([(key: Key, client: ClientID)]) throws -> Void
    ) {
        self.topic = topic
        self.finder = finder
        self.settings = settings
        self.options = options
        self.jq = jq
        self.postgres = postgres
        self.inserter = inserter
        self.rehearsal = rehearsal
        self.report = report
        self.recordMended = recordMended
        decoder = EventDecoder(topic: settings.kafka.rawTopic, maxEventBytes: settings.limits.maxEventBytes)
    }

    /// - Parameters:
    ///   - places: ascending.
    ///   - recordAttempts: told what failed, part by part.
    func run(
        _ places: [DeadLetterCatalog.Place], shouldStop: () -> Bool, progress: (String) -> Void,
        recordAttempts: ([(Key, reason: String)]) throws -> Void
    ) async throws {
        var next = 0
        let limit = options.ratePerSecond.map { min(Self.partLetters, max(1, Int($0))) } ?? Self.partLetters
        while next < places.count, !shouldStop() {
            if let most = options.limit, judged >= most { break }
            var letters: [ReplayLetter] = []
            var headers = DeadLetterHeaders(topic: settings.kafka.rawTopic)
            var bytes = 0
            let passed = try topic.read(places[next...]) { record in
                headers.read(record)
                guard let letter = ReplayLetter(record, headers) else { return true }
                letters.append(letter)
                bytes += letter.bodyBytes
                return letters.count < limit && bytes < Self.partBytes
            }
            next += passed
            report.vanished += passed - letters.count
            try await pace()
            let failures = try await take(letters)
            if !failures.isEmpty { try recordAttempts(failures) }
            progress(
                "\((report.delivered + report.alreadyDelivered).grouped) delivered, \(report.failed.grouped) failed again, of "
                    + places.count.grouped)
        }
        report.notReached += places.count - next
        report.unknownClients = try unknownOwners()?.clients(matching: options.filter) ?? []
    }

    /// Waits until as much time has passed as the rate gives what was judged so far.
    private func pace() async throws {
        guard let rate = options.ratePerSecond else { return }
        let due = started + .seconds(Double(judged) / rate)
        if due > ContinuousClock.now { try await Task.sleep(until: due, clock: .continuous) }
    }

    private func take(_ letters: [ReplayLetter]) async throws -> [(Key, reason: String)] {
        var open = try withoutUnknown(try await withoutDelivered(letters))
        if let most = options.limit, judged + open.count > most {
            report.notReached += judged + open.count - most
            open.removeLast(judged + open.count - most)
        }
        judged += open.count
        var failures: [(Key, reason: String)] = []
        func fail(_ partition: Int32, _ offset: Int64, _ reason: String, _ detail: String) {
            report.addFailure(partition, offset, reason, detail)
            failures.append((Key(partition: partition, offset: offset), reason))
            unsettled.append(Key(partition: partition, offset: offset))
        }
        try fixUp(&open, fail)
        // The order of rows in a block is the order of offsets.
        open.sort { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
        let blocks = try judge(open, fail).filter { isKnown($0) }
        inserter?.addFailed(failures.count)
        let outcomes =
            if let inserter { try await inserter.insert(blocks) } else { try await rehearsal.outcomes(of: blocks) }
        for (block, outcome) in zip(blocks, outcomes) {
            delivered(outcome.delivered.count, block.client)
            for (offset, refusal) in outcome.refused {
                fail(block.partition, offset, refusal.reason.rawValue, refusal.detail)
            }
            isUnknown(outcome.unknown.map { Key(partition: block.partition, offset: $0) })
        }
        return failures
    }

    private func delivered(_ count: Int, _ client: ClientID) {
        guard count > 0 else { return }
        report.delivered += count
        report.deliveredByClient[client.description, default: 0] += count
    }

    private func withoutDelivered(_ letters: [ReplayLetter]) async throws -> [ReplayLetter] {
        var held: [Int32: Set<Int64>] = [:]
        for (partition, some) in Dictionary(grouping: letters, by: \.partition) {
            held[partition] = try await finder.held(partition, some.map(\.origin).sorted { $0.offset < $1.offset })
        }
        let open = letters.filter { !(held[$0.partition]?.contains($0.offset) ?? false) }
        report.alreadyDelivered += letters.count - open.count
        return open
    }

    // MARK: Clients whose table cannot be read

    /// Loaded again when another table has turned out to be unreadable.
    private func unknownOwners() throws -> UnknownOwners? {
        if unknown?.count != finder.unreadable.names.count {
            unknown = try UnknownOwners(finder.unreadable, postgres, topic: settings.kafka.rawTopic)
        }
        return unknown
    }

    /// A letter that may have its row in a table that cannot be read stays as it is: to insert it could double it.
    private func withoutUnknown(_ letters: [ReplayLetter]) throws -> [ReplayLetter] {
        guard let unknown = try unknownOwners() else { return letters }
        let open = letters.filter { letter in
            let named = letter.withView { view in
                if case .credentials(let id, _) = decoder.open(view) { id } else { nil as ClientID? }
            }
            return !unknown.mayHold(letter.partition, letter.offset, named: named)
        }
        let known = Set(open.map { Key(partition: $0.partition, offset: $0.offset) })
        isUnknown(letters.map { Key(partition: $0.partition, offset: $0.offset) }.filter { !known.contains($0) })
        return open
    }

    /// A fix-up may have given records to such a client.
    private func isKnown(_ block: Reinserter.Block) -> Bool {
        guard finder.unreadable.error(block.database) != nil else { return true }
        isUnknown(block.origins.map { Key(partition: block.partition, offset: $0.offset) })
        return false
    }

    private func isUnknown(_ keys: [Key]) {
        report.unknown += keys.count
        unsettled += keys
    }

    private func fixUp(
        _ letters: inout [ReplayLetter], _ fail: (Int32, Int64, String, String) -> Void
    ) throws {
        var kept: [ReplayLetter] = []
        kept.reserveCapacity(letters.count)
        for letter in letters {
            if letter.isWithoutValue {
                fail(
                    letter.partition, letter.offset, ReplayReport.valueMissing,
                    "the record was too large for the dead-letter topic, so its value is only in the raw topic")
            } else {
                kept.append(letter)
            }
        }
        letters = kept
        guard let jq, !letters.isEmpty else { return }
        let outputs = try jq.transform(letters.map(\.value))
        var fixed: [ReplayLetter] = []
        for (var letter, output) in zip(letters, outputs) {
            switch output {
            case .value(let value):
                letter.namedBefore = letter.withView { view in
                    if case .credentials(let id, _) = decoder.open(view) { id } else { nil }
                }
                letter.isMended = true
                letter.value = value
                fixed.append(letter)
            case .nothing:
                report.skipped += 1
                unsettled.append(Key(partition: letter.partition, offset: letter.offset))
            case .failed(let detail): fail(letter.partition, letter.offset, ReplayReport.jqFailed, detail)
            }
        }
        letters = fixed
    }

    // MARK: Judging

    private func judge(
        _ letters: [ReplayLetter], _ fail: (Int32, Int64, String, String) -> Void
    ) throws -> [Reinserter.Block] {
        let wall = Int64(Date().timeIntervalSince1970 * 1000)
        let entries = try ClientRepository(postgres).entries(named(by: letters))
        var blocks = ReinsertBlocks()
        var fields = EventFields()
        var mended: [(key: Key, client: ClientID)] = []
        for letter in letters {
            letter.withView { view in
                switch judge(view, entries, wall, &fields, &blocks) {
                case .failure(let refusal):
                    fail(letter.partition, letter.offset, refusal.reason.rawValue, refusal.detail)
                case .success(let client):
                    if letter.isMended, letter.namedBefore != client {
                        mended.append((Key(partition: letter.partition, offset: letter.offset), client))
                    }
                }
            }
        }
        try recordMended(mended)
        return blocks.sealed(topic: settings.kafka.rawTopic, nowMilliseconds: wall)
    }

    /// The clients of all of them, so that they are one question.
    private func named(by letters: [ReplayLetter]) -> [ClientID] {
        var ids: Set<ClientID> = []
        for letter in letters {
            letter.withView { view in
                if case .credentials(let id, _) = decoder.open(view) { ids.insert(id) }
            }
        }
        return Array(ids)
    }

    /// As the router judges a record, with the clients as they are now.
    private func judge(
        _ view: RecordView, _ entries: [ClientID: ClientEntry], _ wall: Int64, _ fields: inout EventFields,
        _ blocks: inout ReinsertBlocks
    ) -> Result<ClientID, Refusal> {
        switch decoder.open(view) {
        case .refused(let refusal): return .failure(refusal)
        case .credentials(let id, let keyHash):
            guard let entry = entries[id] else { return .failure(ClientJudgement.unknownClient) }
            if let refusal = ClientJudgement.refusal(for: entry, keyHash: keyHash, nowMilliseconds: wall) {
                return .failure(refusal)
            }
            if let refusal = decoder.finish(view, into: &fields) { return .failure(refusal) }
            blocks.append(
                fields, client: entry, partition: view.partition,
                origin: PartitionOrigin(offset: view.offset, timestampMilliseconds: view.timestampMilliseconds),
                nowMilliseconds: wall)
            return .success(id)
        }
    }
}
