import RouterCore

/// Adds windows up to the numbers and lists of a report.
struct AuditTally: Sendable {
    struct Counts: Sendable, Equatable {
        var readable = 0
        var rows = 0
        var delivered = 0
        var deadLettered = 0
        /// Dead letters that an operator gave up; not among the ones above.
        var discarded = 0
        var missing = 0
        /// Without a row that can be seen, as their client's table cannot be read, and without a dead letter.
        var unknown = 0
        /// Neither a row nor a dead letter, and a person has accepted that.
        var accepted = 0
        var duplicated = 0
        var misplaced = 0
        var deliveredAndDeadLettered = 0
        var rowsWithoutRecord = 0
        var rowsOfFormerLog = 0
        var dropped = 0
        var erased = 0
        var expired = 0
    }

    /// Only this client's records and database are judged; nil: all.
    let onlyClient: Int?
    let discards: DeadLetterDiscards
    private(set) var total = Counts()
    private(set) var byPartition: [Int32: Counts] = [:]
    private(set) var byClient: [Int: Counts] = [:]
    private(set) var byReason: [UInt8: Int] = [:]
    private(set) var missing = OffsetList()
    private(set) var duplicated = OffsetList()
    private(set) var misplaced = OffsetList()

    /// What people accepted to lose, by partition, and how much of it was found.
    private(set) var skips: [Int32: [AcceptedSkip]]

    init(onlyClient: Int?, skips: [AcceptedSkip] = [], discards: DeadLetterDiscards = DeadLetterDiscards()) {
        self.onlyClient = onlyClient
        self.discards = discards
        self.skips = Dictionary(grouping: skips, by: \.partition)
    }

    /// - Parameters:
    ///   - databaseClients: whose each database is, by its number.
    ///   - unknownClients: those whose table cannot be read.
    mutating func add(
        _ window: OffsetWindow, partition: Int32, deadLetters: DeadLetterIndex, databaseClients: [Int?],
        unknownClients: Set<Int> = []
    ) {
        var counts = Counts()
        counts.rows = window.rowCount
        counts.rowsWithoutRecord = window.rowsWithoutRecord
        counts.rowsOfFormerLog = window.rowsOfFormerLog
        var letters: [DeadLetterIndex.Letter] = []
        deadLetters.forEach(partition, in: window.range) { letters.append($0) }
        var next = 0
        window.forEachVerdict { verdict in
            while next < letters.count, letters[next].offset < verdict.offset { next += 1 }
            var own: DeadLetterIndex.Letter?
            while next < letters.count, letters[next].offset == verdict.offset {
                let letter = letters[next]
                next += 1
                let isOwn = PartitionOrigin.mayBeSame(letter.timestampMilliseconds, verdict.timeMilliseconds)
                if isOwn, own == nil { own = letter }
            }
            var isUnknown = false
            if case .client(let number) = verdict.owner { isUnknown = unknownClients.contains(number) }
            take(verdict, partition, deadReason: own?.reason, isUnknown: isUnknown, &counts)
        }
        for row in window.misplaced {
            let isJudged = isJudged(row.owner) || onlyClient.map { databaseClients[row.database] == $0 } ?? true
            if isJudged { addMisplaced(row, partition, &counts) }
        }
        // Beyond what a window remembers nobody can say whose they are: rather one client's audit too strict than silent.
        let unlisted = window.misplacedCount - window.misplaced.count
        if unlisted > 0 {
            misplaced.addUnlisted(unlisted)
            counts.misplaced += unlisted
        }
        byPartition[partition, default: Counts()].add(counts)
        total.add(counts)
    }

    private func isJudged(_ owner: OffsetWindow.Owner?) -> Bool {
        guard let onlyClient else { return true }
        return owner == .client(onlyClient)
    }

    private mutating func take(
        _ verdict: OffsetWindow.Verdict, _ partition: Int32, deadReason: UInt8?, isUnknown: Bool,
        _ counts: inout Counts
    ) {
        // A row twice at an offset without a record is a fault too, though whose is not known.
        guard isJudged(verdict.owner) || verdict.owner == nil else { return }
        var own = Counts()
        if verdict.isDoubled {
            own.duplicated = 1
            duplicated.add(OffsetList.Entry(partition: partition, offset: verdict.offset, owner: verdict.owner))
        }
        if verdict.owner != nil {
            own.readable = 1
            account(verdict, partition, deadReason, isUnknown, &own)
        }
        counts.add(own)
        if case .client(let number) = verdict.owner { byClient[number, default: Counts()].add(own) }
    }

    /// What became of an offset that has a record: the first that holds.
    private mutating func account(
        _ verdict: OffsetWindow.Verdict, _ partition: Int32, _ deadReason: UInt8?, _ isUnknown: Bool,
        _ own: inout Counts
    ) {
        if verdict.isDelivered {
            own.delivered = 1
            // A row wins: a verdict that changed, a circuit that opened, a dead letter sent twice.
            if deadReason != nil { own.deliveredAndDeadLettered = 1 }
        } else if verdict.absence == .dropped {
            // A row wins, also one that is gone: it was there when it was counted.
            own.dropped = 1
        } else if verdict.absence == .erased {
            own.erased = 1
        } else if discards.contains(partition, verdict.offset) {
            own.discarded = 1
        } else if let deadReason {
            own.deadLettered = 1
            byReason[deadReason, default: 0] += 1
        } else if verdict.absence == .expired {
            own.expired = 1
        } else if isAccepted(partition, verdict.offset) {
            own.accepted = 1
        } else if isUnknown {
            own.unknown = 1
        } else {
            own.missing = 1
            missing.add(OffsetList.Entry(partition: partition, offset: verdict.offset, owner: verdict.owner))
        }
    }

    private mutating func isAccepted(_ partition: Int32, _ offset: Int64) -> Bool {
        guard let index = skips[partition]?.firstIndex(where: { $0.offsets.contains(offset) }) else { return false }
        skips[partition]?[index].count += 1
        return true
    }

    private mutating func addMisplaced(
        _ row: OffsetWindow.Misplaced, _ partition: Int32, _ counts: inout Counts
    ) {
        counts.misplaced += 1
        misplaced.add(
            OffsetList.Entry(partition: partition, offset: row.offset, owner: row.owner, database: row.database))
        if case .client(let number) = row.owner { byClient[number, default: Counts()].misplaced += 1 }
    }
}

extension AuditTally.Counts {
    mutating func add(_ other: Self) {
        readable += other.readable
        rows += other.rows
        delivered += other.delivered
        deadLettered += other.deadLettered
        discarded += other.discarded
        missing += other.missing
        unknown += other.unknown
        accepted += other.accepted
        duplicated += other.duplicated
        misplaced += other.misplaced
        deliveredAndDeadLettered += other.deliveredAndDeadLettered
        rowsWithoutRecord += other.rowsWithoutRecord
        rowsOfFormerLog += other.rowsOfFormerLog
        dropped += other.dropped
        erased += other.erased
        expired += other.expired
    }
}
