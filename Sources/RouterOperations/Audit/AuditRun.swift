import ClientStore
import KafkaClient
import OffsetStore
import RouterConfiguration
import RouterCore

/// One audit under way: what it has found out so far.
struct AuditRun {
    struct Database {
        var name: String
        /// The client that Postgres names for it, by its number; nil: nobody's.
        var client: Int?
        var extents: [RowExtent]
    }

    /// What Postgres remembers of people's decisions and of what retention took.
    struct Decided {
        var acceptances: [OffsetRepository.Entry] = []
        var losses: [OffsetRepository.Loss] = []
    }

    private let settings: Settings
    private let losses: [AuditLoss]
    private let clients: [ClientRecord]
    private let numbers: [ClientID: Int]
    private let partitions: [AuditKafka.Partition]
    private let deadLetters: DeadLetterIndex
    private let source: AuditDatabases
    private let mended: MendedOrigins
    private let unreadable: UnreadableDatabases
    private var databases: [Database] = []
    private var tally: AuditTally
    private var unjudged = AuditReport.Unjudged()
    private var notes: [String] = []

    init(
        settings: Settings, clients: [ClientRecord], onlyClient: Int?, partitions: [AuditKafka.Partition],
        deadLetters: DeadLetterIndex, databases: AuditDatabases, decided: Decided, discards: DeadLetterDiscards,
        mended: MendedOrigins, unreadable: UnreadableDatabases
    ) {
        self.settings = settings
        self.clients = clients
        self.partitions = partitions
        self.deadLetters = deadLetters
        source = databases
        self.mended = mended
        self.unreadable = unreadable
        numbers = Dictionary(clients.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { $1 })
        tally = AuditTally(onlyClient: onlyClient, skips: AcceptedSkip.all(decided.acceptances), discards: discards)
        losses = AuditLoss.all(
            noted: decided.losses, found: partitions.flatMap { one in one.lost.map { (one.id, $0) } })
    }

    // MARK: Rows

    /// Which databases hold rows of our topic, and of which partitions.
    mutating func findRows() async throws {
        let owners = Dictionary(
            clients.enumerated().map { ($1.databaseName, $0) }, uniquingKeysWith: { $1 })
        let all = try await source.all()
        for database in all {
            let client = owners[database.name]
            guard database.isReadable else {
                if let client {
                    notes.append(
                        "client \(clients[client].id): the table of its database \(database.name) does not have the "
                            + "router's columns, so it counts as empty; `router provision` says more")
                }
                continue
            }
            do {
                let extents = try await source.extents(database.name)
                if extents.isEmpty { continue }
                if client == nil {
                    notes.append(
                        "the database \(database.name) holds rows of this topic and is no client's in Postgres")
                }
                try await countOutside(database.name, extents)
                databases.append(Database(name: database.name, client: client, extents: extents))
            } catch {
                try await unreadable.note(database.name, error)
            }
        }
        try unreadable.checkSomeAnswer(of: all.count(where: \.isReadable))
        let names = Set(all.map(\.name))
        for client in clients where client.status == .active && !names.contains(client.databaseName) {
            notes.append(
                "client \(client.id) is active and its database \(client.databaseName) has no table events_base; run: "
                    + "router provision \(client.id)")
        }
    }

    private mutating func countOutside(_ database: String, _ extents: [RowExtent]) async throws {
        for extent in extents {
            guard let judged = partitions.first(where: { $0.id == extent.partition })?.judged else {
                unjudged.rowsOfUnknownPartitions += Int(clamping: extent.rows)
                continue
            }
            guard extent.lowest < judged.lowerBound || extent.highest >= judged.upperBound else { continue }
            let (below, past) = try await source.countOutside(database, extent.partition, judged)
            unjudged.rowsBeyondRetention += below
            unjudged.rowsInFlight += past
        }
    }

    // MARK: Judging

    mutating func judge(_ scan: PartitionScan, _ removals: AuditRemovals, _ progress: (String) -> Void) async throws {
        notes += try removals.unfinished()
        var reader = OwnerReader(
            topic: settings.kafka.rawTopic, numbers: numbers, horizons: removals.horizons(clients))
        for partition in partitions {
            var lo = partition.judged.lowerBound
            while lo < partition.judged.upperBound {
                let hi = min(lo + OffsetWindow.maxOffsets, partition.judged.upperBound)
                progress("judging \(settings.kafka.rawTopic)/\(partition.id), offsets from \(lo.grouped)")
                var window = OffsetWindow(lo..<hi)
                let place = TopicPartition(topic: settings.kafka.rawTopic, partition: partition.id)
                try scan.read(place, lo..<hi) {
                    let client = mended.client(partition.id, $0.offset).flatMap { numbers[$0] }
                    let (owner, mayHaveExpired) = reader.owner(of: $0)
                    window.addRecord(
                        offset: $0.offset, owner: client.map { .client($0) } ?? owner,
                        timeMilliseconds: $0.timestampMilliseconds, mayHaveExpired: mayHaveExpired)
                }
                try await addRows(to: &window, partition.id)
                // After the rows: what is removed is recorded before it goes.
                try removals.add(to: &window, place, numbers)
                tally.add(
                    window, partition: partition.id, deadLetters: deadLetters,
                    databaseClients: databases.map(\.client), unknownClients: unknownNumbers)
                lo = hi
            }
        }
    }

    private func addRows(to window: inout OffsetWindow, _ partition: Int32) async throws {
        for (number, database) in databases.enumerated() where unreadable.error(database.name) == nil {
            do {
                try await addRows(of: database, number, to: &window, partition)
            } catch {
                try await unreadable.note(database.name, error)
            }
        }
    }

    private func addRows(
        of database: Database, _ number: Int, to window: inout OffsetWindow, _ partition: Int32
    ) async throws {
        guard let extent = database.extents.first(where: { $0.partition == partition }) else { return }
        // What the table has beyond the window need not be asked for.
        let lo = max(window.range.lowerBound, extent.lowest)
        let hi = min(window.range.upperBound, extent.highest == .max ? .max : extent.highest + 1)
        guard lo < hi else { return }
        try await source.rows(database.name, partition, lo..<hi) { offset, client, time in
            window.addRow(
                offset: offset, database: number, databaseClient: database.client, rowClient: numbers[client],
                timeMilliseconds: time)
        }
    }

    /// Clients whose table cannot be read, by their numbers.
    private var unknownNumbers: Set<Int> {
        let names = unreadable.names
        guard !names.isEmpty else { return [] }
        return Set(clients.indices.filter { names.contains(clients[$0].databaseName) })
    }

    /// Those that the verdict is about: an audit of one client does not wait for the table of another.
    private var judgedUnknown: (judged: [UnknownClient], others: [UnknownClient]) {
        let all = unreadable.clients(clients)
        guard let only = tally.onlyClient else { return (all, []) }
        let id = clients[only].id.description
        return (all.filter { $0.clientID == id }, all.filter { $0.clientID != id })
    }

    // MARK: The report

    func report(took: Duration) -> AuditReport {
        let total = tally.total
        let unknown = judgedUnknown
        let isBalanced =
            total.missing == 0 && total.duplicated == 0 && tally.misplaced.total == 0 && losses.isEmpty
            && unknown.judged.isEmpty
        var report = AuditReport(
            balanced: isBalanced, topic: settings.kafka.rawTopic, deadLetterTopic: settings.kafka.deadLetterTopic,
            group: settings.kafka.groupID, client: tally.onlyClient.map { clients[$0].id.description })
        report.partitions = partitions.map(partition)
        report.totals = AuditReport.Totals(
            readable: total.readable, delivered: total.delivered, deadLettered: total.deadLettered,
            discarded: total.discarded, missing: total.missing, duplicated: total.duplicated,
            misplaced: tally.misplaced.total, unknown: total.unknown,
            lost: losses.reduce(0) { $0 + $1.offsets.count },
            deliveredAndDeadLettered: total.deliveredAndDeadLettered,
            beyondRetention: partitions.reduce(0) { $0 + $1.low }, accepted: total.accepted,
            rowsOfFormerLog: total.rowsOfFormerLog, rowsWithoutRecord: total.rowsWithoutRecord,
            dropped: total.dropped, erased: total.erased, expired: total.expired)
        report.unjudged = unjudgedWithDeadLetters
        report.deadLetteredByReason = Dictionary(
            tally.byReason.map { (DeadLetterOrigin.name(ofReason: $0), $1) }, uniquingKeysWith: +)
        report.clients = clients.indices.compactMap(client)
        report.missing = tally.missing.listed.map(offset)
        report.duplicated = tally.duplicated.listed.map(offset)
        report.misplaced = tally.misplaced.listed.map(offset)
        report.missingRuns = tally.missing.runs
        report.duplicatedRuns = tally.duplicated.runs
        report.lost = losses.map { $0.document(topic: settings.kafka.rawTopic) }
        report.unknownClients = unknown.judged
        report.notes = notes + partitions.compactMap(note) + acceptedNotes + unknown.others.map(\.line)
        report.seconds = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        return report
    }

    private var unjudgedWithDeadLetters: AuditReport.Unjudged {
        var unjudged = unjudged
        unjudged.deadLettersRead = deadLetters.seen.read
        unjudged.deadLettersMalformed = deadLetters.seen.malformed
        unjudged.deadLettersOfOtherTopics = deadLetters.seen.ofOtherTopics
        unjudged.deadLettersInFlight = deadLetters.seen.inFlight
        unjudged.deadLettersBeyondRetention = deadLetters.seen.beyondRetention
        return unjudged
    }

    private func partition(_ one: AuditKafka.Partition) -> AuditReport.Partition {
        let counts = tally.byPartition[one.id] ?? AuditTally.Counts()
        return AuditReport.Partition(
            partition: one.id, low: one.low, committed: one.committed, high: one.high, readable: counts.readable,
            rows: counts.rows, delivered: counts.delivered, deadLettered: counts.deadLettered,
            discarded: counts.discarded,
            missing: counts.missing,
            duplicated: counts.duplicated, misplaced: counts.misplaced, unknown: counts.unknown,
            lost: losses.reduce(0) { $0 + ($1.partition == one.id ? $1.offsets.count : 0) },
            dropped: counts.dropped, erased: counts.erased, expired: counts.expired)
    }

    private func client(_ number: Int) -> AuditReport.Client? {
        if let only = tally.onlyClient, only != number { return nil }
        guard let counts = tally.byClient[number] ?? (tally.onlyClient == number ? AuditTally.Counts() : nil) else {
            return nil
        }
        let client = clients[number]
        return AuditReport.Client(
            clientID: client.id.description, clientName: client.name, databaseName: client.databaseName,
            status: client.status.rawValue, readable: counts.readable, delivered: counts.delivered,
            deadLettered: counts.deadLettered, discarded: counts.discarded, missing: counts.missing,
            duplicated: counts.duplicated, misplaced: counts.misplaced, unknown: counts.unknown,
            dropped: counts.dropped, erased: counts.erased, expired: counts.expired)
    }

    private func offset(_ entry: OffsetList.Entry) -> AuditReport.Offset {
        var clientID: String?
        if case .client(let number) = entry.owner { clientID = clients[number].id.description }
        return AuditReport.Offset(
            topic: settings.kafka.rawTopic, partition: entry.partition, offset: entry.offset, clientID: clientID,
            database: entry.database.map { databases[$0].name })
    }

    private var acceptedNotes: [String] {
        let skips = tally.skips.values.joined().filter { $0.count > 0 }
            .sorted { ($0.partition, $0.offsets.lowerBound) < ($1.partition, $1.offsets.lowerBound) }
        return skips.map { $0.note(topic: settings.kafka.rawTopic) }
    }

    private func note(_ one: AuditKafka.Partition) -> String? {
        let place = "\(settings.kafka.rawTopic)/\(one.id)"
        guard let committed = one.committed else {
            guard one.high > one.low else { return nil }
            return "\(place) has records and no committed offset of group \(settings.kafka.groupID)"
        }
        if committed > one.high {
            return "\(place): the committed offset \(committed) is past the log's end \(one.high): the topic was made "
                + "anew or cut"
        }
        return nil
    }
}
