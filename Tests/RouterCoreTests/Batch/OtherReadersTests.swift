import Foundation
import RouterCore
import Testing

/// What readers that were not written here find in our blocks: clickhouse-connect's, and ClickHouse's own engine
/// through the table that is shipped. `make setup` installs both.
@Suite struct OtherReadersTests {
    @Test func aBlockWithoutRows() throws { try compare([]) }

    @Test func oneRow() throws { try compare([.numbered(1)]) }

    @Test func theEdgesOfEveryColumn() throws {
        var events: [TestEvent] = []
        func add(_ change: (inout TestEvent) -> Void) {
            var event = TestEvent.numbered(events.count)
            change(&event)
            event.offset = Int64(events.count)
            events.append(event)
        }
        let strings: [[UInt8]] = [
            [], [0], [0, 0, 0], Array("\"\\\t\n'".utf8), Array("ä€𝄞".utf8), [0xFF, 0xFE],
            [UInt8](repeating: 0x78, count: 127), [UInt8](repeating: 0x78, count: 128),
            [UInt8](repeating: 0x79, count: 16_384), [UInt8](repeating: 0x7A, count: 1 << 20),
        ]
        for string in strings {
            add { $0.eventName = string }
            add { $0.userID = string }
            add { $0.sessionID = string }
            add { $0.eventProperties = string }
            add { $0.extraFields = string }
        }
        // DateTime64(3) reaches from 1900-01-01 to 2299-12-31 23:59:59.999.
        for time in [-2_208_988_800_000, -1, 0, 1, 946_684_800_000, 4_102_444_800_000, 10_413_791_999_999] as [Int64] {
            add { $0.timestampMilliseconds = time }
            add { $0.receivedAtMilliseconds = time }
        }
        for words in [(0, 0), (UInt64.max, UInt64.max), (1, 0), (0, 1), (1 << 63, 1 << 63)] as [(UInt64, UInt64)] {
            add { $0.eventID = UUID128(high: words.0, low: words.1) }
        }
        try compare(events)
    }

    @Test func offsetsAndPartitionsOfEverySize() throws {
        var events = (0..<4).map(TestEvent.numbered)
        for (index, offset) in [0, 1, Int64(Int32.max) + 1, .max].enumerated() { events[index].offset = offset }
        try compare(events, partition: .max)
        try compare(events, partition: 0)
    }

    @Test func aHundredThousandRows() throws { try compare((0..<100_000).map(TestEvent.numbered)) }

    @Test func aSelectionOfRows() throws {
        let events = (0..<3000).map(TestEvent.numbered)
        let rows = (0..<3000).filter { $0 % 7 != 3 }
        let selected = sealed(events).selecting(rows: rows.map { Int32($0) })
        try compare(selected, rows.map { events[$0] }, partition: 7)
    }

    // MARK: How

    private func compare(_ events: [TestEvent], partition: Int32 = 7) throws {
        try compare(sealed(events, partition: partition), events, partition: partition)
    }

    private func compare(_ block: SealedBlock, _ events: [TestEvent], partition: Int32) throws {
        let root = Self.root
        let python = ProcessInfo.processInfo.environment["ROUTER_TEST_PYTHON"] ?? root + "/.dev/venv/bin/python"
        try #require(FileManager.default.isExecutableFile(atPath: python), "\(python) is missing: run `make setup`")
        let folder = FileManager.default.temporaryDirectory.appending(path: "router-block-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let body = folder.appending(path: "body")
        let expected = folder.appending(path: "expected")
        try Data(block.body).write(to: body)
        try Data(events.map { Self.line($0, partition: partition) }.joined().utf8).write(to: expected)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [
            Self.folder + "/read_block.py", body.path, expected.path, root + "/clickhouse/schemas/01_events_base.sql",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
        #expect(text.contains("\(events.count) rows compared, 0 differences"), "\(text)")
    }

    /// What is meant, by a way that has nothing to do with the encoder.
    private static func line(_ event: TestEvent, partition: Int32) -> String {
        func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
        func hyphenated(_ id: UUID128) -> String {
            let hex = String(format: "%016lx%016lx", id.high, id.low)
            return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { range in
                String(Array(hex)[range])
            }.joined(separator: "-")
        }
        let fields = [
            #""event_id":"\#(hyphenated(event.eventID))""#,
            #""client_id":"11223344-5566-4788-99aa-bbccddeeff00""#,
            #""event_name":"\#(base64(event.eventName))""#, #""user_id":"\#(base64(event.userID))""#,
            #""session_id":"\#(base64(event.sessionID))""#, #""event_timestamp":\#(event.timestampMilliseconds)"#,
            #""event_properties":"\#(base64(event.eventProperties))""#,
            #""extra_fields":"\#(base64(event.extraFields))""#, #""received_at":\#(event.receivedAtMilliseconds)"#,
            #""ingested_at":1750000000001"#, #""batch_id":"fedcba98-7654-4210-8123-456789abcdef""#,
            #""source_topic":"\#(base64(Array("shared_raw_events".utf8)))""#, #""source_partition":\#(partition)"#,
            #""source_offset":\#(event.offset)"#,
        ]
        return "{" + fields.joined(separator: ",") + "}\n"
    }

    /// This folder and the repository, found from where this file is (a link to it counts as what it links to).
    private static let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .path
    private static let root = URL(fileURLWithPath: folder).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
}
