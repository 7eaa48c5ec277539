import ClickHouseNative
import Testing

@Suite struct RowBinaryReaderTests {
    @Test func readsWhatClickHouseWrites() throws {
        // SELECT toUInt64(1), toInt64(-2), toInt32(-3), toUUID('11223344-5566-7788-99aa-bbccddeeff00'), 'ä', '', toUInt8(9)
        // FORMAT RowBinary, of ClickHouse 26.9.
        let bytes: [UInt8] =
            [1, 0, 0, 0, 0, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFD, 0xFF, 0xFF, 0xFF]
            + [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99]
            + [2, 0xC3, 0xA4, 0, 9]
        var reader = RowBinaryReader(bytes)
        #expect(try reader.readUInt64() == 1)
        #expect(try reader.readInt64() == -2)
        #expect(try reader.readInt32() == -3)
        let id = try reader.readUUID()
        #expect(id.high == 0x1122_3344_5566_7788)
        #expect(id.low == 0x99AA_BBCC_DDEE_FF00)
        #expect(try reader.readString() == "ä")
        #expect(try reader.readString() == "")
        #expect(try reader.readUInt8() == 9)
        #expect(reader.isAtEnd)
    }

    /// Cut anywhere, it is an error and no crash.
    @Test func everyCutIsAnError() {
        for length in 0..<8 {
            var reader = RowBinaryReader([UInt8](repeating: 1, count: length))
            #expect(throws: RowBinaryError.self) { try reader.readInt64() }
            #expect(reader.position == 0)
        }
        for bytes in [[], [5], [5, 1, 2, 3, 4], [0x80], [0xFF, 0xFF]] as [[UInt8]] {
            var reader = RowBinaryReader(bytes)
            #expect(throws: RowBinaryError.self) { try reader.readString() }
        }
        var short = RowBinaryReader([UInt8](repeating: 0, count: 15))
        #expect(throws: RowBinaryError.self) { try short.readUUID() }
    }

    @Test func lengthsThatNoAnswerHasAreErrors() {
        let max = [UInt8](repeating: 0xFF, count: 9)
        for bytes in [max + [1], max + [2], max + [0xFF], max + [0x80, 0], [UInt8](repeating: 0x80, count: 30)] {
            var reader = RowBinaryReader(bytes)
            #expect(throws: RowBinaryError.self) { try reader.readString() }
        }
    }
}
