import RouterCore
import Testing

@Suite struct StatementTests {
    private let client = UUID128(high: 0x1122_3344_5566_4788, low: 0x99AA_BBCC_DDEE_FF00)
    private let batch = UUID128(high: 1, low: 2)

    @Test func anInsertNamesEverySettingThatExactnessNeeds() throws {
        var insert = InsertStatement(
            database: "client_1", token: "the token", queryID: "q", rowCount: 5, maxExecutionSeconds: 30,
            capabilities: ServerCapabilities(knowsDeduplicateInsert: false))
        let statement = insert.statement
        #expect(
            statement.sql
                == "INSERT INTO `client_1`.`events_base` (event_id, client_id, event_name, user_id, session_id, "
                + "event_timestamp, event_properties, extra_fields, received_at, ingested_at, batch_id, source_topic, "
                + "source_partition, source_offset) FORMAT Native")
        #expect(statement.queryID == "q")
        let settings = Dictionary(statement.settings, uniquingKeysWith: { first, _ in first })
        #expect(settings.count == statement.settings.count)
        #expect(settings["insert_deduplication_token"] == "the token")
        #expect(settings["insert_deduplicate"] == "1")
        #expect(settings["async_insert"] == "0")
        #expect(settings["deduplicate_blocks_in_dependent_materialized_views"] == "1")
        #expect(settings["max_execution_time"] == "30")
        #expect(settings["timeout_overflow_mode"] == "throw")
        #expect(settings["deduplicate_insert"] == nil)
        insert.capabilities.knowsDeduplicateInsert = true
        #expect(insert.statement.settings.contains { $0 == ("deduplicate_insert", "enable") })
    }

    @Test(arguments: [0, 1, 200_000, 2_000_000]) func aBlockIsNeverSplitByTheServer(rows: Int) throws {
        let insert = InsertStatement(
            database: "d", token: "t", queryID: "q", rowCount: rows, maxExecutionSeconds: 1,
            capabilities: ServerCapabilities(knowsDeduplicateInsert: false))
        let value = try #require(insert.statement.settings.first { $0.0 == "max_insert_block_size" }?.1)
        #expect(try #require(Int(value)) > rows)
    }

    @Test func queriesOfABlockAreFoundByTheirPrefixAndNoOthers() {
        let other = UUID128(high: 0x1122_3344_5566_4788, low: 0x99AA_BBCC_DDEE_FF01)
        let prefix = InsertStatement.queryIDPrefix(batch: batch, client: client)
        #expect(InsertStatement.queryID(batch: batch, client: client, ticket: "9").hasPrefix(prefix))
        #expect(prefix.hasPrefix("00000000-0000-0001-0000-000000000002"))
        #expect(!InsertStatement.queryID(batch: batch, client: other, ticket: "9").hasPrefix(prefix))
        let probe = DestinationProbe.running(batch: batch)
        #expect(probe.parameters.map(\.1) == [InsertStatement.queryIDPrefix(batch: batch)])
        #expect(prefix.hasPrefix(InsertStatement.queryIDPrefix(batch: batch)))
        // It must not find itself.
        #expect(probe.queryID == nil)
    }

    /// What `system.processes` is asked by where the batch is not known: all inserts, and no query with an id of
    /// ClickHouse's own.
    @Test func insertsOfUnknownBatchesAreFoundByTheirPattern() throws {
        let pattern = try Regex(InsertStatement.queryIDPattern)
        #expect(InsertStatement.queryID(batch: batch, client: client, ticket: "9").contains(pattern))
        #expect("replay-1-7-\(client)-".contains(pattern))
        #expect(!"\(client)".contains(pattern))
        let probe = DestinationProbe.running(batch: batch, orAnyInsertSinceSeconds: 1.5)
        #expect(probe.parameters.map(\.1).contains("1.5") && probe.queryID == nil)
    }

    @Test func answersAreReadOrRefused() throws {
        #expect(try ReadBack.offsets([]) == [])
        #expect(try ReadBack.offsets([5, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8)) == [5, -1])
        #expect(throws: (any Error).self) { try ReadBack.offsets([5, 0, 0]) }
        #expect(try CountAnswer.read([3, 0, 0, 0, 0, 0, 0, 0]) == 3)
        for bad in [[], [3], [UInt8](repeating: 0, count: 9)] as [[UInt8]] {
            #expect(throws: (any Error).self) { try CountAnswer.read(bad) }
        }
        #expect(try ServerCapabilities(answer: [1, 0, 0, 0, 0, 0, 0, 0]).knowsDeduplicateInsert)
        #expect(try !ServerCapabilities(answer: [0, 0, 0, 0, 0, 0, 0, 0]).knowsDeduplicateInsert)
    }

    @Test func anAnswersLimitFollowsTheRangeAndHasACeiling() {
        #expect(ReadBack.maxResponseBytes(0..<1) == 64 * 1024)
        #expect(ReadBack.maxResponseBytes(0..<200_000) == 3_200_000)
        #expect(ReadBack.maxResponseBytes(0..<Int64.max) == ReadBack.maxAnswerBytes)
    }

    @Test func databaseNames() {
        for good in [
            "a", "client_1", "_x", "A9", DatabaseName.standard(for: client), String(repeating: "x", count: 63),
        ] {
            #expect(throws: Never.self) { try DatabaseName.validate(good) }
        }
        #expect(DatabaseName.standard(for: client) == "client_11223344_5566_4788_99aa_bbccddeeff00")
        for (bad, error) in [
            ("", .empty), (String(repeating: "x", count: 64), .tooLong(bytes: 64)), ("1a", .badCharacter),
            ("a-b", .badCharacter), ("a`; DROP DATABASE b", .badCharacter), ("ä", .badCharacter),
            ("a\0", .badCharacter),
            ("system", .reserved("system")), ("SYSTEM", .reserved("SYSTEM")), ("default", .reserved("default")),
            ("INFORMATION_SCHEMA", .reserved("INFORMATION_SCHEMA")),
        ] as [(String, DatabaseNameError)] {
            #expect(throws: error) { try DatabaseName.validate(bad) }
        }
    }

    @Test func identifiersAreQuoted() {
        #expect(Identifier.quoted("a") == "`a`")
        #expect(Identifier.quoted("a`b\\c;\"'") == "`a\\`b\\\\c;\"'`")
    }
}
