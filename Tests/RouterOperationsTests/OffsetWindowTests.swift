import Testing

@testable import RouterOperations

@Suite struct OffsetWindowTests {
    @Test(arguments: [1, 63, 64, 65, 1000])
    func aBitmapKeepsEachBitApart(count: Int) {
        var bitmap = OffsetBitmap(count: count)
        for index in stride(from: 0, to: count, by: 3) {
            let wasSet = bitmap.insert(index)
            #expect(!wasSet)
        }
        for index in 0..<count { #expect(bitmap[index] == (index % 3 == 0)) }
        for index in 0..<count {
            let wasSet = bitmap.insert(index)
            #expect(wasSet == (index % 3 == 0))
        }
    }

    private static func verdicts(_ window: OffsetWindow) -> [OffsetWindow.Verdict] {
        var all: [OffsetWindow.Verdict] = []
        window.forEachVerdict { all.append($0) }
        return all
    }

    @Test func eachOffsetHasItsVerdict() {
        var window = OffsetWindow(100..<105)
        for offset in [100, 101, 103, 104] as [Int64] { window.addRecord(offset: offset, owner: .client(0)) }
        window.addRow(offset: 100, database: 7, databaseClient: 0, rowClient: 0)
        for _ in 0..<3 { window.addRow(offset: 103, database: 7, databaseClient: 0, rowClient: 0) }
        #expect(
            Self.verdicts(window) == [
                .init(offset: 100, owner: .client(0), isDelivered: true, isDoubled: false),
                .init(offset: 101, owner: .client(0), isDelivered: false, isDoubled: false),
                .init(offset: 103, owner: .client(0), isDelivered: true, isDoubled: true),
                .init(offset: 104, owner: .client(0), isDelivered: false, isDoubled: false),
            ])
        #expect(window.rowCount == 4 && window.misplacedCount == 0)
    }

    @Test func whatIsOutsideOfTheRangeIsIgnored() {
        var window = OffsetWindow(100..<102)
        for offset in [99, 102, .max, .min] as [Int64] {
            window.addRecord(offset: offset, owner: .nobody)
            window.addRow(offset: offset, database: 0, databaseClient: nil, rowClient: nil)
        }
        #expect(Self.verdicts(window).isEmpty)
        #expect(window.rowCount == 0 && window.misplacedCount == 0)
    }

    /// Whose the record is, whose the database is, whom the row names: only all three alike is in place.
    @Test(
        arguments: [
            (OffsetWindow.Owner.client(1), 1, 1, true), (.client(1), 2, 1, false), (.client(1), nil, 1, false),
            (.client(1), 1, 2, false), (.client(1), 1, nil, false), (.client(1), 2, 2, false), (.nobody, 1, 1, false),
            (.nobody, nil, nil, false),
        ] as [(OffsetWindow.Owner, Int?, Int?, Bool)])
    func aRowBelongsWhereItsClientsDatabaseIs(
        owner: OffsetWindow.Owner, databaseClient: Int?, rowClient: Int?, isPlaced: Bool
    ) {
        var window = OffsetWindow(0..<1)
        window.addRecord(offset: 0, owner: owner)
        window.addRow(offset: 0, database: 3, databaseClient: databaseClient, rowClient: rowClient)
        #expect(Self.verdicts(window).map(\.isDelivered) == [isPlaced])
        #expect(window.misplaced == (isPlaced ? [] : [.init(offset: 0, database: 3, owner: owner)]))
    }

    @Test func aRowWithoutARecordIsNoFaultUnlessThereAreTwo() {
        var window = OffsetWindow(0..<2)
        window.addRow(offset: 0, database: 0, databaseClient: 0, rowClient: 0)
        #expect(Self.verdicts(window).isEmpty)
        window.addRow(offset: 1, database: 0, databaseClient: 0, rowClient: 0)
        window.addRow(offset: 1, database: 0, databaseClient: 0, rowClient: 0)
        #expect(Self.verdicts(window) == [.init(offset: 1, owner: nil, isDelivered: true, isDoubled: true)])
        #expect(window.rowsWithoutRecord == 3)
        window.addRow(offset: 0, database: 1, databaseClient: nil, rowClient: nil)
        #expect(window.misplacedCount == 1)
    }

    @Test func misplacedRowsBeyondTheLimitAreCounted() {
        var window = OffsetWindow(0..<1)
        window.addRecord(offset: 0, owner: .client(0))
        for _ in 0...OffsetWindow.maxMisplaced {
            window.addRow(offset: 0, database: 1, databaseClient: 1, rowClient: 1)
        }
        #expect(window.misplaced.count == OffsetWindow.maxMisplaced)
        #expect(window.misplacedCount == OffsetWindow.maxMisplaced + 1)
    }

    /// A topic that was made anew: rows of its former log lie at the same offsets.
    @Test func aRowOfAFormerLogIsNone() {
        for hasTimes in [false, true] {
            var window = OffsetWindow(0..<4)
            for offset in 0..<3 as Range<Int64> {
                window.addRecord(
                    offset: offset, owner: .client(0), timeMilliseconds: hasTimes && offset < 2 ? 100 + offset : nil)
            }
            // Its own row and an older one; only an older one, in another client's database; a record without a time.
            for (offset, time, database) in [(0, 100, 0), (0, 7, 0), (1, 7, 5), (2, 7, 0)] as [(Int64, Int64, Int)] {
                window.addRow(
                    offset: offset, database: database, databaseClient: database, rowClient: database,
                    timeMilliseconds: time)
            }
            let verdicts = Self.verdicts(window)
            #expect(verdicts.map(\.isDelivered) == [true, false, true])
            #expect(verdicts.map(\.isDoubled) == [!hasTimes, false, false])
            #expect(verdicts.map(\.timeMilliseconds) == (hasTimes ? [100, 101, nil] : [nil, nil, nil]))
            #expect(window.rowsOfFormerLog == (hasTimes ? 2 : 0))
            #expect(window.misplacedCount == (hasTimes ? 0 : 1))
        }
    }
}
