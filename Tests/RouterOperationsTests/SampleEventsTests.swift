import Foundation
import RouterCore
import Testing

@testable import RouterOperations

@Suite struct SampleEventsTests {
    private static let id = Array("1b4e28ba-2fa1-41d2-883f-0016d3cca427".utf8)
    private static let keyHash = [UInt8](repeating: UInt8(ascii: "a"), count: 64)
    private static let now = 1_790_000_000_123
    private static let maxEventBytes = 4096

    private static func events(_ credentials: SampleEvents.Credentials, seed: UInt64 = 1) -> SampleEvents {
        SampleEvents(clients: 2, credentials: credentials, maxEventBytes: maxEventBytes, seed: seed)
    }

    /// What the router's own decoder says of an event; nil when it is accepted.
    private static func reason(
        of value: [UInt8]?, _ decoder: inout EventDecoder, withHeaders: Bool
    ) -> DeadLetterReason? {
        (value ?? []).withUnsafeBytes { bytes in
            id.withUnsafeBytes { id in
                keyHash.withUnsafeBytes { keyHash in
                    var record = RecordView(
                        value: value == nil ? nil : bytes, partition: 0, offset: 0, timestampMilliseconds: Int64(now))
                    if withHeaders {
                        record.clientIDHeader = id
                        record.apiKeyHashHeader = keyHash
                    }
                    switch decoder.open(record) {
                    case .refused(let refusal): return refusal.reason
                    case .credentials:
                        var fields = EventFields()
                        return decoder.finish(record, into: &fields)?.reason
                    }
                }
            }
        }
    }

    /// What is about the client is up to who calls: those events are whole.
    @Test(arguments: SampleKind.allCases, [SampleEvents.Credentials.body, .headers])
    func theDecoderJudgesEachKindAsItsNameSays(kind: SampleKind, credentials: SampleEvents.Credentials) {
        let aboutTheClient: Set<DeadLetterReason> = [.unknownClient, .invalidAPIKey, .clientNotActive]
        let expected = kind.reason.flatMap { aboutTheClient.contains($0) ? nil : $0 }
        var events = Self.events(credentials)
        var decoder = EventDecoder(topic: "t", maxEventBytes: Self.maxEventBytes)
        for number in 0..<500 {
            let hasValue = events.write(
                kind, client: number % 2, idText: Self.id, keyHashText: Self.keyHash, nowMilliseconds: Self.now + number
            )
            let reason = Self.reason(
                of: hasValue ? events.text.bytes : nil, &decoder, withHeaders: credentials == .headers)
            #expect(reason == expected, "\(String(decoding: events.text.bytes.prefix(600), as: UTF8.self))")
        }
    }

    @Test func theSameSeedMakesTheSameEvents() {
        func sample(_ seed: UInt64) -> [[UInt8]] {
            var events = Self.events(.body, seed: seed)
            return (0..<200).map { _ in
                let client = events.anyClient()
                _ = events.write(
                    .good, client: client, idText: Self.id, keyHashText: Self.keyHash, nowMilliseconds: Self.now)
                return events.text.bytes
            }
        }
        #expect(sample(7) == sample(7))
        #expect(sample(7) != sample(8))
    }

    @Test func visitorsDoSeveralThingsAndSomeBuy() throws {
        var events = Self.events(.body)
        var names: [String: Int] = [:]
        for _ in 0..<5000 {
            _ = events.write(.good, client: 0, idText: Self.id, keyHashText: Self.keyHash, nowMilliseconds: Self.now)
            let object = try JSONSerialization.jsonObject(with: Data(events.text.bytes)) as? [String: Any]
            names[try #require(object?["event_name"] as? String), default: 0] += 1
        }
        let all: Set = ["page_view", "search", "product_view", "add_to_cart", "checkout_started", "purchase"]
        #expect(Set(names.keys) == all)
        #expect(names["page_view", default: 0] > names["purchase", default: 0])
    }

    @Test func eachKindComesAsOftenAsItsShareSays() {
        var shares = BadShares()
        shares.spread(0.02, over: SampleKind.bad)
        shares.add(0.1, of: .unknownClient)
        var schedule = KindSchedule(shares)
        var counts: [SampleKind: Int] = [:]
        for number in 1...100_000 {
            counts[schedule.next(), default: 0] += 1
            guard number % 10_000 == 0 else { continue }
            for kind in SampleKind.bad {
                let wanted = shares.shares[kind, default: 0] * Double(number)
                #expect(abs(Double(counts[kind, default: 0]) - wanted) <= 2, "\(kind) after \(number)")
            }
        }
    }

    @Test func withoutSharesAllAreGoodAndWithAWholeOneNone() {
        var none = KindSchedule(BadShares())
        var shares = BadShares()
        shares.spread(1, over: SampleKind.bad)
        var all = KindSchedule(shares)
        var goods = 0
        for _ in 0..<1000 {
            #expect(none.next() == .good)
            if all.next() == .good { goods += 1 }
        }
        // The first round is still being filled up.
        #expect(goods <= SampleKind.bad.count)
    }

    @Test(arguments: [(0, "0"), (-5, "-5"), (1_234_567, "1234567"), (Int.min, "-9223372036854775808")])
    func numbersAreWritten(number: Int, text: String) {
        var written = EventText()
        written.append(number)
        #expect(String(decoding: written.bytes, as: UTF8.self) == text)
    }

    @Test func aTimeIsRFC3339() {
        var time = TimeWriter()
        var text = EventText()
        time.append(milliseconds: 951_782_400_007, to: &text)
        #expect(String(decoding: text.bytes, as: UTF8.self) == "2000-02-29T00:00:00.007Z")
    }
}

@Suite struct LineSourceTests {
    private static func lines(_ content: [UInt8], maxLineBytes: Int = 1 << 21) throws -> [[UInt8]] {
        let path = FileManager.default.temporaryDirectory.appending(path: "lines-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(content).write(to: URL(fileURLWithPath: path))
        var source = try LineSource(path: path, maxLineBytes: maxLineBytes)
        var lines: [[UInt8]] = []
        while let line = try source.next() { lines.append(Array(line)) }
        return lines
    }

    @Test(arguments: [
        ("", []), ("\n", []), ("a", ["a"]), ("a\n", ["a"]), ("a\n\nb", ["a", "b"]), ("\n\na\r\n b \n", ["a\r", " b "]),
    ])
    func linesAreTakenAsTheyAre(content: String, expected: [String]) throws {
        #expect(try Self.lines(Array(content.utf8)) == expected.map { Array($0.utf8) })
    }

    /// Longer than what is read at once, with the line feed on either side of the seam.
    @Test(arguments: [-1, 0, 1])
    func aLineMayCrossAChunk(by: Int) throws {
        let first = [UInt8](repeating: 120, count: (1 << 20) + by)
        let second = [UInt8](repeating: 121, count: (1 << 20) * 3 / 2)
        #expect(try Self.lines(first + [10] + second + [10, 122]) == [first, second, [122]])
    }

    @Test func aLineBeyondTheLimitIsAnError() throws {
        let limit = 1 << 20
        let longest = [UInt8](repeating: 120, count: limit)
        #expect(try Self.lines(longest + [10] + longest, maxLineBytes: limit).count == 2)
        #expect(throws: OperationError.self) {
            try Self.lines([UInt8](repeating: 120, count: limit * 3) + [10], maxLineBytes: limit)
        }
    }

    @Test func aFileThatIsNotThereIsAnError() {
        #expect(throws: OperationError.self) { _ = try LineSource(path: "/no/such/file", maxLineBytes: 10) }
    }
}
