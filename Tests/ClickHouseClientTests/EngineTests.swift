import ClickHouseClient
import ClickHouseNative
import Foundation
import RouterCore
import Testing

/// The statements of RouterCore, sent by this client to the engine of ClickHouse itself.
@Suite(.serialized) struct EngineTests {
    private let database = "client_1"
    private let clientID = UUID128(high: 11, low: 12)

    private func withEngine(_ test: (Engine) async throws -> Void) async throws {
        let engine = try await Engine.start()
        defer { engine.stop() }
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appending(path: "clickhouse/schemas/01_events_base.sql")
        let file = try SchemaFile(
            String(contentsOf: path, encoding: .utf8), placeholders: ["database": Identifier.quoted(database)])
        // Twice, as provisioning may be repeated.
        for statement in file.statements + file.statements { _ = try await engine.run(statement.sql) }
        try await test(engine)
    }

    private func sealed(batch: UUID128, offsets: Range<Int64>, partition: Int32 = 3) -> SealedBlock {
        let block = EventBlock()
        for offset in offsets {
            withUnsafeBytes(of: UInt64(offset)) { bytes in
                var event = EventFields()
                event.eventID = UUID128(high: 1, low: UInt64(offset))
                event.eventName = UnsafeRawBufferPointer(rebasing: bytes[..<1])
                event.userID = bytes
                event.timestampMilliseconds = 1_700_000_000_000 + offset
                event.eventProperties = bytes
                block.append(event, receivedAtMilliseconds: 1_700_000_000_000, offset: offset)
            }
        }
        return block.seal(
            clientID: clientID, batchID: batch, topic: "raw", partition: partition, ingestedAtMilliseconds: 1)
    }

    private func insert(_ block: SealedBlock, token: String, _ engine: Engine) async throws -> ClickHouseAnswer {
        let capabilities = try ServerCapabilities(answer: await engine.ask(ServerCapabilities.question))
        let statement = InsertStatement(
            database: database, token: token,
            queryID: InsertStatement.queryID(batch: block.origin.batchID, client: clientID, ticket: UUID().uuidString),
            rowCount: block.rowCount, maxExecutionSeconds: 30, capabilities: capabilities
        ).statement
        return await engine.client.perform(statement.request(.segments(block, block.segments)))
    }

    private func readBack(_ batch: UUID128, _ offsets: Range<Int64>, partition: Int32 = 3, _ engine: Engine)
        async throws
        -> [Int64]
    {
        let statement = ReadBack.statement(
            database: database, batch: batch, topic: "raw", partition: partition, offsets: offsets,
            maxExecutionSeconds: 30)
        return try ReadBack.offsets(await engine.ask(statement)).sorted()
    }

    @Test func aBlockIsInsertedOnceAndReadBack() async throws {
        try await withEngine { engine in
            let batch = UUID128(high: 7, low: 8)
            let block = sealed(batch: batch, offsets: 1000..<21_000)
            for attempt in 1...2 {
                guard case .acknowledged = try await insert(block, token: "t", engine) else {
                    Issue.record("attempt \(attempt) was not acknowledged")
                    return
                }
            }
            #expect(try await readBack(batch, 1000..<21_000, engine) == Array(1000..<21_000))
            #expect(try await readBack(batch, 1500..<1502, engine) == [1500, 1501])
            #expect(try await readBack(batch, 0..<1000, engine) == [])
            #expect(try await readBack(batch, 0..<Int64.max, partition: 4, engine) == [])
            #expect(try await readBack(UUID128(high: 7, low: 9), 0..<Int64.max, engine) == [])
        }
    }

    /// What is left after a read-back goes in as a block of its own.
    @Test func theRestOfABlockThatIsThereInPart() async throws {
        try await withEngine { engine in
            let batch = UUID128(high: 1, low: 1)
            let block = sealed(batch: batch, offsets: 0..<100)
            _ = try await insert(block.selecting(rows: Array(20..<50)), token: "part", engine)
            let there = Set(block.rows(at: try await readBack(batch, 0..<100, engine)))
            #expect(there.count == 30)
            let rest = (0..<100).map { Int32($0) }.filter { !there.contains($0) }
            _ = try await insert(block.selecting(rows: rest), token: "rest", engine)
            #expect(try await readBack(batch, 0..<100, engine) == Array(0..<100))
        }
    }

    @Test func faultsComeWithTheirCodes() async throws {
        try await withEngine { engine in
            let block = sealed(batch: UUID128(high: 1, low: 2), offsets: 0..<10)
            func code() async throws -> Int? {
                guard case .exception(let exception) = try await insert(block, token: "t", engine) else { return nil }
                return exception.code
            }
            _ = try await engine.run("ALTER TABLE client_1.events_base ADD CONSTRAINT c CHECK source_offset != 7")
            #expect(try await code().map(ServerVerdict.init) == .rowFault)
            _ = try await engine.run("ALTER TABLE client_1.events_base DROP CONSTRAINT c")
            _ = try await engine.run("ALTER TABLE client_1.events_base DROP COLUMN extra_fields")
            #expect(try await code().map(ServerVerdict.init) == .destinationFault)
            guard
                case .exception = await engine.client.perform(
                    DestinationProbe.destination(database: database).request())
            else {
                Issue.record("a table without one of our columns passed for a good one")
                return
            }
            _ = try await engine.run("DROP TABLE client_1.events_base SYNC")
            #expect(try await code().map(ServerVerdict.init) == .destinationFault)
            _ = try await engine.run("DROP DATABASE client_1 SYNC")
            #expect(try await code().map(ServerVerdict.init) == .destinationFault)
            #expect(try await readBackCode(engine).map(ServerVerdict.init) == .destinationFault)
        }
    }

    private func readBackCode(_ engine: Engine) async throws -> Int? {
        let statement = ReadBack.statement(
            database: database, batch: clientID, topic: "raw", partition: 3, offsets: 0..<1, maxExecutionSeconds: 30)
        guard case .exception(let exception) = await engine.client.perform(statement.request()) else { return nil }
        return exception.code
    }

    @Test func probesAndTheQuestionWhetherAnythingIsRunning() async throws {
        try await withEngine { engine in
            try await engine.ask(DestinationProbe.server)
            #expect(try await engine.ask(DestinationProbe.destination(database: database)).isEmpty)
            let batch = UUID128(high: 5, low: 5)
            let running = DestinationProbe.running(batch: batch)
            #expect(try CountAnswer.read(await engine.ask(running)) == 0)
            // A query that runs until it is seen, at most half a minute.
            var slow = DestinationStatement(sql: "SELECT sleepEachRow(1) FROM numbers(30) FORMAT Null")
            slow.settings = [
                ("max_block_size", "1"), ("max_execution_time", "3"),
                ("function_sleep_max_microseconds_per_block", "0"),
            ]
            slow.queryID = InsertStatement.queryID(batch: batch, client: clientID, ticket: "1")
            let request = slow.request()
            async let answer = engine.client.perform(request)
            var seen: UInt64 = 0
            for _ in 0..<2000 where seen == 0 { seen = try CountAnswer.read(await engine.ask(running)) }
            #expect(seen == 1)
            let other = UUID128(high: 5, low: 6)
            #expect(try CountAnswer.read(await engine.ask(DestinationProbe.running(batch: other))) == 0)
            // Whichever batch it is of, and only if it has been running for so long.
            for (since, count) in [(0.0, 1), (20.0, 0)] as [(Double, UInt64)] {
                let any = DestinationProbe.running(batch: other, orAnyInsertSinceSeconds: since)
                #expect(try CountAnswer.read(await engine.ask(any)) == count)
            }
            _ = await answer
            #expect(try CountAnswer.read(await engine.ask(running)) == 0)
        }
    }

    @Test func parametersArriveAsTheyAre() async throws {
        try await withEngine { engine in
            for text in ["", "a", "tab\t\"'`\\n\n\r\0\\", "ä€𝄞", "%41+&=#;", "\\N"] {
                let statement = DestinationStatement(
                    sql: "SELECT hex({text:String}) FORMAT TSVRaw", parameters: [("text", text)])
                let answer = String(decoding: try await engine.ask(statement), as: UTF8.self)
                #expect(answer == text.utf8.map { String(format: "%02X", $0) }.joined() + "\n")
            }
        }
    }

    @Test func aWrongPasswordIsAnExceptionAndRaisesSuspicion() async throws {
        try await withEngine { engine in
            var endpoint = engine.client.endpoint
            endpoint.password = "wrong"
            let stranger = ClickHouseClient(endpoint: endpoint, connections: 1)
            defer { stranger.shutdown() }
            guard case .exception(let exception) = await stranger.perform(DestinationProbe.server.request()) else {
                Issue.record("let in")
                return
            }
            #expect(ServerVerdict(code: exception.code) == .suspicion(slowDown: false))
            #expect(!exception.message.contains("wrong"))
        }
    }
}
