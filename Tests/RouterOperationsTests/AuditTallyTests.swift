import Testing

@testable import RouterOperations

@Suite struct AuditTallyTests {
    private static func letters(_ offsets: [Int64], partition: Int32 = 0, judged: Range<Int64> = 0..<1000)
        -> DeadLetterIndex
    {
        var index = DeadLetterIndex(judged: [partition: judged])
        for offset in offsets { index.add(.origin(DeadLetterOrigin(partition: partition, offset: offset, reason: 4))) }
        index.seal()
        return index
    }

    @Test func aRowWinsOverADeadLetter() {
        var window = OffsetWindow(0..<4)
        for offset in 0..<4 as Range<Int64> { window.addRecord(offset: offset, owner: .client(0)) }
        for offset in [0, 1] as [Int64] { window.addRow(offset: offset, database: 0, databaseClient: 0, rowClient: 0) }
        var tally = AuditTally(onlyClient: nil)
        tally.add(window, partition: 0, deadLetters: Self.letters([1, 2]), databaseClients: [0])
        #expect(tally.total.readable == 4)
        #expect(tally.total.delivered == 2)
        #expect(tally.total.deliveredAndDeadLettered == 1)
        #expect(tally.total.deadLettered == 1)
        #expect(tally.byReason == [4: 1])
        #expect(tally.missing.listed.map(\.offset) == [3])
        #expect(tally.byClient[0] == tally.total.withoutRows)
    }

    /// A dead letter of the topic's former log, at the same offset, accounts for nothing; one whose record had no time may
    /// be of either.
    @Test func aDeadLetterOfAFormerLogIsNoAnswer() {
        var window = OffsetWindow(0..<4)
        for offset in 0..<4 as Range<Int64> {
            window.addRecord(offset: offset, owner: .client(0), timeMilliseconds: offset == 3 ? nil : 100)
        }
        var index = DeadLetterIndex(judged: [0: 0..<4])
        for (offset, reason, time) in [(0, 1, 7), (1, 1, 7), (1, 2, 100), (2, 3, nil), (3, 4, 7)]
            as [(Int64, UInt8, Int64?)]
        {
            index.add(
                .origin(
                    DeadLetterOrigin(partition: 0, offset: offset, reason: reason, timestampMilliseconds: time)))
        }
        index.seal()
        var tally = AuditTally(onlyClient: nil)
        tally.add(window, partition: 0, deadLetters: index, databaseClients: [0])
        #expect(tally.missing.listed.map(\.offset) == [0])
        #expect(tally.byReason == [2: 1, 3: 1, 4: 1])
    }

    /// Of a client whose table cannot be read nobody knows what is missing; of the others it is known.
    @Test func whatMayBeInATableThatCannotBeReadIsUnknown() {
        var window = OffsetWindow(0..<5)
        for (offset, owner) in [0, 0, 1, 1].enumerated() {
            window.addRecord(offset: Int64(offset), owner: .client(owner))
        }
        window.addRecord(offset: 4, owner: .nobody)
        window.addRow(offset: 2, database: 1, databaseClient: 1, rowClient: 1)
        func tally(_ only: Int?) -> AuditTally {
            var tally = AuditTally(onlyClient: only)
            tally.add(
                window, partition: 0, deadLetters: Self.letters([1]), databaseClients: [0, 1], unknownClients: [0])
            return tally
        }
        let all = tally(nil)
        #expect([all.total.unknown, all.total.deadLettered, all.total.delivered] == [1, 1, 1])
        #expect(all.missing.listed.map(\.offset) == [3, 4])
        #expect(all.byClient[0]?.unknown == 1 && all.byClient[1]?.unknown == 0)
        #expect(tally(1).total.unknown == 0 && tally(1).missing.listed.map(\.offset) == [3])
    }

    @Test func oneClientIsJudgedAlone() {
        var window = OffsetWindow(0..<4)
        window.addRecord(offset: 0, owner: .client(0))
        window.addRecord(offset: 1, owner: .client(1))
        window.addRecord(offset: 2, owner: .nobody)
        window.addRecord(offset: 3, owner: .client(1))
        // A row of the other client in this one's database, and one of this client in the other's.
        window.addRow(offset: 3, database: 0, databaseClient: 0, rowClient: 1)
        window.addRow(offset: 0, database: 1, databaseClient: 1, rowClient: 0)
        func tally(_ only: Int?) -> AuditTally {
            var tally = AuditTally(onlyClient: only)
            tally.add(window, partition: 0, deadLetters: Self.letters([]), databaseClients: [0, 1])
            return tally
        }
        #expect(tally(nil).missing.total == 4)
        #expect(tally(0).missing.listed.map(\.offset) == [0])
        #expect(tally(0).misplaced.total == 2)
        #expect(tally(1).missing.listed.map(\.offset) == [1, 3])
        #expect(tally(2).missing.total == 0 && tally(2).misplaced.total == 0)
    }

    @Test func windowsAddUp() {
        var tally = AuditTally(onlyClient: nil)
        let letters = Self.letters([5, 15], judged: 0..<20)
        for lo in [0, 10] as [Int64] {
            var window = OffsetWindow(lo..<lo + 10)
            for offset in window.range where offset % 5 == 0 { window.addRecord(offset: offset, owner: .nobody) }
            tally.add(window, partition: 0, deadLetters: letters, databaseClients: [])
        }
        #expect(tally.total.readable == 4 && tally.total.deadLettered == 2)
        #expect(tally.missing.listed.map(\.offset) == [0, 10])
    }

    @Test func neighboursBecomeRanges() {
        var list = OffsetList()
        for (partition, offset) in [(0, 3), (0, 4), (0, 5), (0, 7), (1, 8), (1, 9)] as [(Int32, Int64)] {
            list.add(.init(partition: partition, offset: offset))
        }
        #expect(list.runs.map { "\($0.partition):\($0.text)" } == ["0:3-5", "0:7", "1:8-9"])
    }

    @Test func aListIsBoundedAndItsTotalIsNot() {
        var list = OffsetList()
        for offset in 0..<Int64(OffsetList.maxListed + 5) { list.add(.init(partition: 0, offset: offset)) }
        #expect(list.listed.count == OffsetList.maxListed && list.total == OffsetList.maxListed + 5)
    }

    /// Every offset is one of delivered, dead or missing, whatever happens to it: against a plain model.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func theNumbersAgreeWithANaiveModel(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var window = OffsetWindow(50..<150)
        var owners: [Int64: Int] = [:]
        var places: [Int64: [Int]] = [:]
        var dead: Set<Int64> = []
        for offset in window.range where random.below(10) > 0 {
            owners[offset] = random.below(3)
            window.addRecord(offset: offset, owner: .client(owners[offset]!))
        }
        for _ in 0..<80 {
            let (offset, database) = (Int64(40 + random.below(120)), random.below(3))
            if window.range.contains(offset) { places[offset, default: []].append(database) }
            window.addRow(offset: offset, database: database, databaseClient: database, rowClient: database)
        }
        for _ in 0..<60 { dead.insert(Int64(40 + random.below(120))) }
        var tally = AuditTally(onlyClient: nil)
        tally.add(
            window, partition: 0, deadLetters: Self.letters(Array(dead), judged: 50..<150),
            databaseClients: [0, 1, 2])
        let isDelivered = { (offset: Int64) in places[offset]?.contains(owners[offset]!) ?? false }
        #expect(tally.total.readable == owners.count)
        #expect(tally.total.delivered == owners.keys.count(where: isDelivered))
        #expect(tally.total.deadLettered == owners.keys.count { !isDelivered($0) && dead.contains($0) })
        #expect(tally.total.missing == owners.keys.count { !isDelivered($0) && !dead.contains($0) })
        #expect(
            tally.total.misplaced
                == places.reduce(0) { sum, place in
                    sum + (owners[place.key].map { owner in place.value.count { $0 != owner } } ?? 0)
                })
        #expect(
            tally.total.duplicated
                == places.count { offset, databases in
                    owners[offset].map { owner in databases.count { $0 == owner } > 1 } ?? (databases.count > 1)
                })
    }
}

extension AuditTally.Counts {
    /// Rows are counted by partition, not by client.
    fileprivate var withoutRows: Self {
        var counts = self
        counts.rows = 0
        return counts
    }
}

/// A small seeded generator, so that a failure can be run again.
struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
