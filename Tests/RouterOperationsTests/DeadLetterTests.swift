import RouterCore
import Testing

@testable import RouterOperations

@Suite struct DeadLetterTests {
    // MARK: Filters

    @Test(arguments: [
        ("90s", 9_910_000), ("2m", 9_880_000), ("0d", 10_000_000), ("1970-01-01", 0), ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:01.5+01:00", 1_500),
    ])
    func times(_ text: String, _ expected: Int64) {
        #expect(DeadLetterFilter.milliseconds(text, nowMilliseconds: 10_000_000) == expected)
    }

    @Test(arguments: ["", "d", "-1d", "1w", "2026-02-30", "2026-01-31T00:00:00", "99999999999999999999s"])
    func whatIsNoTime(_ text: String) {
        #expect(DeadLetterFilter.milliseconds(text, nowMilliseconds: 0) == nil)
    }

    @Test func offsets() {
        #expect(DeadLetterFilter.offsets("17") == 17...17)
        #expect(DeadLetterFilter.offsets("0-9223372036854775807") == 0...Int64.max)
        for text in ["", "-", "1-", "-1", "3-2", "1-2-3", "a", "9223372036854775808"] {
            #expect(DeadLetterFilter.offsets(text) == nil, "\(text)")
        }
    }

    @Test func places() {
        #expect(DeadLetterPlace("2/17").map { [Int64($0.partition), $0.offset] } == [2, 17])
        #expect(DeadLetterPlace("t.o-p_ic/2/17")?.topic == "t.o-p_ic")
        for text in ["", "2", "2/", "/17", "-1/2", "1/-2", "a/b/c/d", "x/1"] {
            #expect(DeadLetterPlace(text) == nil, "\(text)")
        }
    }

    // MARK: The catalog

    private func letter(_ offset: Int64, at place: Int64, failedAt: Int64, reason: UInt8 = 0) throws
        -> DeadLetterCatalog.Letter
    {
        DeadLetterCatalog.Letter(
            offset: offset, failedAtMilliseconds: failedAt,
            place: try #require(DeadLetterCatalog.Place(partition: 1, offset: place)), client: -1, reason: reason,
            isClientVerified: false, isSelected: reason == 0)
    }

    @Test func theLastLetterOfAnOriginCounts() throws {
        var catalog = DeadLetterCatalog()
        catalog.add(try letter(7, at: 1, failedAt: 20, reason: 1), partition: 0)
        catalog.add(try letter(7, at: 2, failedAt: 10), partition: 0)
        catalog.add(try letter(3, at: 3, failedAt: 30), partition: 0)
        catalog.add(try letter(3, at: 4, failedAt: 30, reason: 1), partition: 0)
        catalog.add(try letter(7, at: 5, failedAt: 5), partition: 2)
        catalog.seal()
        #expect(catalog.letters[0]?.map(\.place.offset) == [4, 1])
        #expect(catalog.letters[2]?.map(\.place.offset) == [5])
        #expect(catalog.seen.repeated == 2)
        var selected: [Int64] = []
        catalog.forEachSelected { selected.append($1.place.offset) }
        #expect(selected == [5], "an earlier verdict of an origin was chosen")
    }

    @Test func aLetterIsAsSmallAsItSays() {
        #expect(MemoryLayout<DeadLetterCatalog.Letter>.stride == 40)
    }

    @Test func placesAtTheirEdges() throws {
        let place = try #require(DeadLetterCatalog.Place(partition: 65_535, offset: 1 << 48 - 1))
        #expect(place.partition == 65_535 && place.offset == 1 << 48 - 1)
        #expect(DeadLetterCatalog.Place(partition: 65_536, offset: 0) == nil)
        #expect(DeadLetterCatalog.Place(partition: -1, offset: 0) == nil)
        #expect(DeadLetterCatalog.Place(partition: 0, offset: 1 << 48) == nil)
        #expect(DeadLetterCatalog.Place(partition: 0, offset: -1) == nil)
    }

    @Test func namesThatRecordsGiveThemselvesAreBounded() {
        var catalog = DeadLetterCatalog()
        for number in 0..<UInt64(DeadLetterCatalog.maxClients) + 5 {
            _ = catalog.number(of: ClientID(high: 0, low: number))
        }
        #expect(catalog.clients.count == DeadLetterCatalog.maxClients)
        #expect(catalog.number(of: ClientID(high: 0, low: 3)) == 3)
        #expect(catalog.number(of: ClientID(high: 1, low: 3)) == -1)
        #expect(catalog.number(of: nil) == -1)
    }

    // MARK: Discards

    @Test func discardedRanges() {
        let discards = DeadLetterDiscards([(0, 10...12), (0, 5...5), (0, 13...13), (0, 11...11), (1, 0...0)])
        #expect(discards.ranges[0] == [5...5, 10...13])
        for (offset, expected) in [(4, false), (5, true), (6, false), (9, false), (10, true), (13, true), (14, false)] {
            #expect(discards.contains(0, Int64(offset)) == expected)
        }
        #expect(discards.contains(1, 0) && !discards.contains(2, 0))
        #expect(DeadLetterDiscards.ranges(of: [3, 1, 2, 9, 7, 7]) == [1...3, 7...7, 9...9])
        #expect(DeadLetterDiscards.ranges(of: []).isEmpty)
    }

    @Test func anAuditCountsThem() {
        var window = OffsetWindow(0..<4)
        for offset in 0..<Int64(4) { window.addRecord(offset: offset, owner: .nobody) }
        var index = DeadLetterIndex(judged: [0: 0..<4])
        for offset in 0..<Int64(2) {
            index.add(.origin(DeadLetterOrigin(partition: 0, offset: offset, reason: 0)))
        }
        index.seal()
        // 1 is a dead letter still in the topic, 2 one that retention has taken since.
        var tally = AuditTally(onlyClient: nil, discards: DeadLetterDiscards([(0, 1...2)]))
        tally.add(window, partition: 0, deadLetters: index, databaseClients: [])
        #expect(tally.total.deadLettered == 1 && tally.total.discarded == 2 && tally.total.missing == 1)
    }

    // MARK: jq

    @Test func errorsOfJQTellNoHash() {
        let hash = String(repeating: "0a", count: 32)
        #expect(JQProgram.redacted("no: \(hash)!") == "no: …!")
        #expect(
            JQProgram.redacted("jq: \(hash.prefix(11))...") == "jq: ……"
                || !JQProgram.redacted("jq: \(hash.prefix(11))...").contains("0a0a"))
        #expect(JQProgram.redacted("Cannot index number with \"a\"") == "Cannot index number with \"a\"")
        #expect(JQProgram.redacted(String(repeating: "x", count: 10_000)).count <= 200)
    }

    @Test func valuesGoThroughAsTheyAre() throws {
        let jq = try JQProgram(".")
        defer { jq.close() }
        let texts = [#"{"a":[1,null,"x\n\"\\ü"]}"#, "not json \u{1} \"\\", "", "12"]
        let outputs = try jq.transform(texts.map { Array($0.utf8) } + [nil, [0xFF]])
        #expect(outputs[0] == .value(Array(texts[0].utf8)))
        #expect(outputs[1] == .value(Array(#""not json \u0001 \"\\""#.utf8)))
        #expect(outputs[2] == .value(Array("\"\"".utf8)))
        #expect(outputs[3] == .value(Array("12".utf8)))
        #expect(outputs[4] == .value(Array("null".utf8)))
        #expect(outputs[5] == .failed("the value is not UTF-8, which jq cannot read"))
        // Far more than a pipe holds, in both directions.
        let many = [[UInt8]?](
            repeating: Array("{\"a\":\"\(String(repeating: "y", count: 5_000))\"}".utf8), count: 2_000)
        #expect(try jq.transform(many).allSatisfy { $0 == .value(many[0] ?? []) })
    }

    @Test func aProgramWithoutAnEndGivesTwoValuesAtMost() throws {
        let jq = try JQProgram("repeat(1)")
        defer { jq.close() }
        guard case .failed(let text) = try jq.transform([Array("1".utf8)])[0] else {
            Issue.record("more than one value passed")
            return
        }
        #expect(text.contains("more than one"))
    }
}
