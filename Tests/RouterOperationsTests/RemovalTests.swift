import Testing

@testable import RouterOperations

@Suite struct OffsetRunsTests {
    @Test func offsetsBecomeRunsAndTextAndBack() throws {
        let runs = OffsetRuns(ascending: [1, 2, 2, 3, 7, 9, 10])
        #expect(runs.runs == [1...3, 7...7, 9...10])
        #expect(runs.count == 6)
        #expect(runs.multirange == "{[1,4),[7,8),[9,11)}")
        #expect(OffsetRuns(multirange: runs.multirange) == runs)
        #expect(OffsetRuns(multirange: "{}") == OffsetRuns())
        #expect(OffsetRuns().multirange == "{}")
        for offset in 0...12 as ClosedRange<Int64> {
            #expect(runs.contains(offset) == [1, 2, 3, 7, 9, 10].contains(offset))
        }
    }

    @Test(arguments: [
        "", "{", "}", "{[1,2)", "[1,2)", "{[2,1)}", "{[1,1)}", "{[1,2)[3,4)}", "{[1,2),}", "{[3,4),[1,2)}", "{(1,2)}",
        "{[1,2]}", "{[a,2)}", "{[,2)}", "{[1,99999999999999999999)}", "{[-1,2)}", "{[1,3),[2,4)}",
    ])
    func textThatIsNoMultirangeIsRefused(text: String) { #expect(OffsetRuns(multirange: text) == nil) }

    @Test func randomSetsSurvive() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let set = Set((0..<Int.random(in: 0...200, using: &generator)).map { _ in Int64.random(in: 0...400) })
            let runs = OffsetRuns(ascending: set.sorted())
            #expect(runs.count == set.count)
            #expect(OffsetRuns(multirange: runs.multirange) == runs)
            for offset in 0...400 as ClosedRange<Int64> { #expect(runs.contains(offset) == set.contains(offset)) }
        }
    }

    @Test func windowsAreCutAtTheirWidthAndCountRepetitions() {
        let width = RemovedWindow.width
        let windows = RemovedWindow.cut(ascending: [0, 0, width - 1, width, 3 * width + 5])
        #expect(windows.map(\.first) == [0, width, 3 * width + 5])
        #expect(windows.map(\.last) == [width - 1, width, 3 * width + 5])
        #expect(windows.map(\.rowCount) == [3, 1, 1])
        #expect(windows.map(\.runs.count) == [2, 1, 1])
        #expect(windows.allSatisfy { $0.last - $0.first < width })
        #expect(RemovedWindow.cut(ascending: []).isEmpty)
    }
}

@Suite struct DeleteStatementsTests {
    private let delete = DeleteStatements(quotedTable: "`d`.`t`")

    @Test func offsetsAreNamedOneByOneAndLongRunsAsRanges() {
        let runs = OffsetRuns(ascending: [1, 3, 4, 5, 10, 11, 12, 13, 20])
        #expect(
            delete.statements(runs, topic: "it's", partition: 2) == [
                "ALTER TABLE `d`.`t` DELETE WHERE source_topic = 'it\\'s' AND source_partition = 2 "
                    + "AND (source_offset BETWEEN 10 AND 13 OR source_offset IN (1,3,4,5,20))"
            ])
        #expect(delete.statements(OffsetRuns(), topic: "t", partition: 0).isEmpty)
    }

    @Test func noStatementIsLongerThanClickHouseTakes() {
        let far = Int64.max / 2
        let singles = OffsetRuns(ascending: (0..<20_000).map { far + $0 * 2 })
        let ranges = OffsetRuns(ascending: (0..<20_000).map { far + $0 + $0 / 5 })
        for runs in [singles, ranges] {
            let statements = delete.statements(runs, topic: "t", partition: 0)
            #expect(statements.count >= 5)
            #expect(statements.allSatisfy { $0.utf8.count < 200_000 })
        }
    }
}

@Suite struct RemovedOffsetWindowTests {
    private func verdicts(_ window: OffsetWindow) -> [Int64: OffsetWindow.Verdict] {
        var all: [Int64: OffsetWindow.Verdict] = [:]
        window.forEachVerdict { all[$0.offset] = $0 }
        return all
    }

    @Test func onlyItsOwnersOffsetsAreRemovedAndARowWins() {
        var window = OffsetWindow(10..<16)
        for offset in [10, 11, 12] as [Int64] { window.addRecord(offset: offset, owner: .client(0)) }
        window.addRecord(offset: 13, owner: .client(1))
        window.addRecord(offset: 14, owner: .client(0), mayHaveExpired: true)
        window.addRow(offset: 11, database: 0, databaseClient: 0, rowClient: 0)
        window.addRemoved(0...13, client: 0, isErasure: false)
        window.addRemoved(12...90, client: 0, isErasure: true)
        let verdicts = verdicts(window)
        #expect(verdicts[10]?.absence == .dropped)
        #expect(verdicts[11]?.absence == nil && verdicts[11]?.isDelivered == true)
        #expect(verdicts[12]?.absence == .dropped)
        #expect(verdicts[13]?.absence == nil)
        #expect(verdicts[14]?.absence == .erased)
    }

    @Test func theTallyKeepsThemApartAndNothingElseBalances() {
        var window = OffsetWindow(0..<6)
        for offset in 0..<6 as Range<Int64> {
            window.addRecord(offset: offset, owner: .client(0), mayHaveExpired: offset >= 3)
        }
        window.addRemoved(0...0, client: 0, isErasure: false)
        window.addRemoved(1...1, client: 0, isErasure: true)
        window.addRow(offset: 4, database: 0, databaseClient: 0, rowClient: 0)
        var letters = DeadLetterIndex(judged: [0: 0..<6])
        for offset in [0, 5] as [Int64] {
            letters.add(.origin(DeadLetterOrigin(partition: 0, offset: offset, reason: 1)))
        }
        letters.seal()
        var tally = AuditTally(onlyClient: nil)
        tally.add(window, partition: 0, deadLetters: letters, databaseClients: [0])
        let total = tally.total
        #expect((total.dropped, total.erased, total.expired) == (1, 1, 1))
        #expect((total.delivered, total.deadLettered, total.missing) == (1, 1, 1))
        #expect(tally.missing.listed.map(\.offset) == [2])
    }
}

@Suite struct TableTTLTests {
    @Test func theClauseIsFoundInTheTextOfAnEngine() {
        let ours = "MergeTree PARTITION BY toYYYYMM(t) ORDER BY x TTL \(TableTTL.expression(days: 30)) SETTINGS a = 1"
        #expect(TableTTL.clause(inEngine: ours).flatMap(TableTTL.days) == 30)
        let other = "MergeTree ORDER BY x TTL toDateTime(received_at) + toIntervalYear(1)"
        #expect(TableTTL.clause(inEngine: other) == "toDateTime(received_at) + toIntervalYear(1)")
        #expect(TableTTL.clause(inEngine: other).flatMap(TableTTL.days) == nil)
        #expect(TableTTL.clause(inEngine: "MergeTree ORDER BY x SETTINGS a = 1") == nil)
        #expect(TableTTL.days(TableTTL.expression(days: 3) + " TO VOLUME 'cold'") == nil)
    }
}

@Suite struct ByteTextTests {
    @Test(arguments: [
        (0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.00 KiB"), (1536, "1.50 KiB"), (10_240, "10.0 KiB"),
        (104_857_600, "100 MiB"), (Int.max, "8.00 EiB"),
    ])
    func sizesHaveThreeDigits(bytes: Int, text: String) { #expect(ByteText.text(bytes) == text) }
}
