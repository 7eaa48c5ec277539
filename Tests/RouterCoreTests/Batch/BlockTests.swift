import RouterCore
import Testing

@Suite struct BlockTests {
    /// The bytes of a whole block, written down by hand from ClickHouse's documentation.
    @Test func theBytesOfOneRow() {
        let event = TestEvent(
            eventID: UUID128(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10), eventName: Array("n".utf8),
            userID: [], sessionID: [0, 0xFF], timestampMilliseconds: 1, eventProperties: Array("{}".utf8),
            extraFields: Array("{ }".utf8), receivedAtMilliseconds: -1, offset: 0x0102)
        func column(_ name: String, _ type: String, _ value: [UInt8]) -> [UInt8] {
            [UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(type.utf8.count)] + Array(type.utf8) + value
        }
        let time = "DateTime64(3, 'UTC')"
        var expected: [UInt8] = [14, 1]
        expected += column("event_id", "UUID", [8, 7, 6, 5, 4, 3, 2, 1, 16, 15, 14, 13, 12, 11, 10, 9])
        expected += column(
            "client_id", "UUID",
            [0x88, 0x47, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99])
        expected += column("event_name", "String", [1, 0x6E])
        expected += column("user_id", "String", [0])
        expected += column("session_id", "String", [2, 0, 0xFF])
        expected += column("event_timestamp", time, [1, 0, 0, 0, 0, 0, 0, 0])
        expected += column("event_properties", "String", [2, 0x7B, 0x7D])
        expected += column("extra_fields", "String", [3, 0x7B, 0x20, 0x7D])
        expected += column("received_at", time, [UInt8](repeating: 0xFF, count: 8))
        var ingested = Int64(1_750_000_000_001)
        var ingestedBytes: [UInt8] = []
        for _ in 0..<8 {
            ingestedBytes.append(UInt8(ingested % 256))
            ingested /= 256
        }
        expected += column("ingested_at", time, ingestedBytes)
        expected += column(
            "batch_id", "UUID",
            [0x10, 0x42, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE, 0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x81])
        expected += column("source_topic", "String", [1, 0x74])
        expected += column("source_partition", "Int32", [0xFE, 0xFF, 0xFF, 0xFF])
        expected += column("source_offset", "Int64", [2, 1, 0, 0, 0, 0, 0, 0])
        let block = sealed([event], topic: "t", partition: -2)
        #expect(block.body == expected)
        #expect(block.bodyBytes == expected.count)
    }

    /// Around the lengths at which a varint and a repeated column grow by a piece.
    @Test(arguments: [0, 1, 2, 127, 128, 4095, 4096, 4097, 8193, 20_000])
    func everyRowIsThereInEveryColumn(rows: Int) throws {
        let block = sealed((0..<rows).map(TestEvent.numbered))
        #expect(block.rowCount == rows)
        #expect(block.bodyBytes == block.body.count)
        let columns = try NativeReader.read(block.body)
        #expect(columns.map(\.name) == EventColumn.allCases.map(\.name))
        #expect(columns.allSatisfy { $0.values.count == rows })
        for constant in ["client_id", "batch_id", "source_topic", "source_partition", "ingested_at"] {
            let column = try #require(columns.first { $0.name == constant })
            #expect(Set(column.values).count == min(rows, 1))
        }
        let users = try #require(columns.first { $0.name == "user_id" })
        #expect(users.values == (0..<rows).map { Array("user-\($0)".utf8) })
        for row in [0, rows / 2, rows - 1] where row >= 0 && row < rows {
            #expect(block.offset(ofRow: row) == 1000 + Int64(row) * 3)
        }
        #expect(block.offset(ofRow: rows) == nil)
        #expect(block.offset(ofRow: -1) == nil)
        #expect(block.offsetRange == (rows == 0 ? nil : 1000..<1000 + Int64(rows - 1) * 3 + 1))
    }

    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, 1 << 20]) func stringsOfEveryLength(bytes: Int) throws {
        var event = TestEvent.numbered(1)
        event.eventProperties = (0..<bytes).map { UInt8(truncatingIfNeeded: $0) }
        let columns = try NativeReader.read(sealed([event, .numbered(2), event]).body)
        let column = try #require(columns.first { $0.name == "event_properties" })
        #expect(column.values == [event.eventProperties, TestEvent.numbered(2).eventProperties, event.eventProperties])
    }

    @Test func aTopicLongerThanARepeatedColumnIsWrittenOut() throws {
        let topic = String(repeating: "t", count: 70_000)
        let columns = try NativeReader.read(sealed((0..<3).map(TestEvent.numbered), topic: topic).body)
        let column = try #require(columns.first { $0.name == "source_topic" })
        #expect(column.values == Array(repeating: Array(topic.utf8), count: 3))
    }

    @Test func rowsAreFoundByTheirOffsets() {
        let block = sealed((0..<100).map(TestEvent.numbered))
        #expect(block.rows(at: []) == [])
        #expect(block.rows(at: [1000]) == [0])
        #expect(block.rows(at: [1297, 1003, 1003, 1000, 1001, -5, .max]) == [0, 1, 99])
        #expect(block.rows(at: (0..<100).map { 1000 + $0 * 3 }.reversed()) == (0..<100).map { Int32($0) })
    }

    @Test func selectedRowsAreWhatAFreshBlockOfThemWouldBe() {
        let events = (0..<500).map(TestEvent.numbered)
        let block = sealed(events)
        for rows in [[], [0], [499], [0, 499], [3, 4, 5, 300], Array(0..<499), Array(1..<500)] as [[Int32]] {
            let selected = block.selecting(rows: rows)
            #expect(selected.body == sealed(rows.map { events[Int($0)] }).body)
            #expect(selected.rowCount == rows.count)
        }
        #expect(block.selecting(rows: [7, 3, 7, -1, 500, 3]).body == sealed([events[3], events[7]]).body)
        // All rows cost nothing.
        #expect(block.selecting(rows: Array(0..<500)) === block)
        #expect(block.selecting(RowSet(all: 500)) === block)
        #expect(block.selecting(RowSet([1, 2])).body == sealed([events[1], events[2]]).body)
        // Selecting twice, as after a split and a read-back.
        let twice = block.selecting(rows: Array(100..<200)).selecting(rows: [0, 50])
        #expect(twice.body == sealed([events[100], events[150]]).body)
        #expect(twice.offset(ofRow: 1) == events[150].offset)
    }

    @Test func aSealedBlockKeepsItsBytesWhileTheOpenOneGoesOn() {
        let open = block([.numbered(1)])
        func seal() -> SealedBlock {
            open.seal(
                clientID: testClient, batchID: testBatch, topic: "shared_raw_events", partition: 7,
                ingestedAtMilliseconds: 1_750_000_000_001)
        }
        let first = seal()
        #expect(open.rowCount == 0)
        #expect(open.encodedBytes == 0)
        #expect(open.allocatedBytes == 0)
        for number in 2..<2000 { TestEvent.numbered(number).append(to: open) }
        let second = seal()
        #expect(first.body == sealed([.numbered(1)]).body)
        #expect(second.body == sealed((2..<2000).map(TestEvent.numbered)).body)
    }

    /// A thousand clients on two dozen partitions: what an almost empty block costs is paid 24,000 times.
    @Test func anAlmostEmptyBlockIsSmall() {
        #expect(EventBlock().allocatedBytes == 0)
        #expect(block([TestEvent()]).allocatedBytes <= 9 * 64)
        let small = sealed([TestEvent()])
        #expect(small.allocatedBytes <= 9 * 64 + 1024)
    }

    @Test func memoryIsCountedAndGrowsWithTheRows() {
        let open = EventBlock()
        for number in 0..<50_000 {
            TestEvent.numbered(number).append(to: open)
            if number % 5000 == 0 {
                #expect(open.encodedBytes <= open.allocatedBytes)
                #expect(open.allocatedBytes <= open.encodedBytes * 2 + 9 * 64)
            }
        }
        #expect(open.rowCount == 50_000)
        // 16 + 3 * 8 bytes a row, and five strings.
        #expect(open.encodedBytes > 50_000 * 45)
    }
}
