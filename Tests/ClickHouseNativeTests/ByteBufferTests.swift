import ClickHouseNative
import Testing

@Suite struct ByteBufferTests {
    /// The edges of LEB128: the numbers with one byte more than the one before.
    @Test func varints() {
        let expected: [(Int, [UInt8])] = [
            (0, [0]), (1, [1]), (127, [127]), (128, [0x80, 1]), (300, [0xAC, 2]), (16_383, [0xFF, 0x7F]),
            (16_384, [0x80, 0x80, 1]), (Int.max, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        ]
        for (number, bytes) in expected {
            var buffer = ByteBuffer()
            buffer.appendVarint(number)
            #expect(Array(buffer.bytes) == bytes)
        }
    }

    @Test func numbersAreLittleEndian() {
        var buffer = ByteBuffer()
        buffer.append(Int32(-2))
        buffer.append(Int64(0x0102_0304_0506_0708))
        buffer.appendUUID(high: 0x1122_3344_5566_7788, low: 0x99AA_BBCC_DDEE_FF00)
        #expect(
            Array(buffer.bytes) == [
                0xFE, 0xFF, 0xFF, 0xFF, 8, 7, 6, 5, 4, 3, 2, 1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0xFF,
                0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99,
            ])
    }

    @Test func nothingIsAllocatedForNothing() {
        var buffer = ByteBuffer()
        #expect(buffer.capacity == 0)
        buffer.append(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(buffer.capacity == 0)
        #expect(buffer.bytes.isEmpty)
        buffer.appendString("")
        #expect(Array(buffer.bytes) == [0])
        #expect(buffer.capacity == ByteBuffer.firstCapacityBytes)
    }

    @Test func bytesStayWhatTheyAreWhileTheBufferGrows() {
        var buffer = ByteBuffer()
        var expected: [UInt8] = []
        for number in 0..<100_000 {
            let piece = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 23)
            piece.withUnsafeBytes { buffer.append($0) }
            expected += piece
        }
        #expect(buffer.count == expected.count)
        #expect(Array(buffer.bytes) == expected)
        #expect(buffer.capacity < buffer.count * 2)
    }

    @Test func oneAppendMayBeLargerThanAnyStepOfGrowth() {
        var buffer = ByteBuffer()
        let piece = [UInt8](repeating: 9, count: 3_000_000)
        piece.withUnsafeBytes { buffer.append($0) }
        #expect(Array(buffer.bytes) == piece)
    }

    @Test func aBufferOfKnownSizeTakesExactlyThat() {
        var buffer = ByteBuffer()
        buffer.reserveExactly(1000)
        #expect(buffer.capacity == 1000)
        buffer.reserveExactly(10)
        #expect(buffer.capacity == 1000)
    }

    @Test func aRepeatedValueIsSentAsOftenAsThereAreRows() {
        for (valueBytes, rows) in [(16, 0), (16, 1), (16, 4096), (16, 4097), (4, 100_000), (100_000, 3)] {
            let written = RepeatedValue.rowsWritten(valueBytes: valueBytes, rows: rows)
            #expect(written <= rows)
            let memory = [UInt8](repeating: 1, count: written * valueBytes)
            memory.withUnsafeBytes { bytes in
                var segments: [UnsafeRawBufferPointer] = []
                RepeatedValue.appendSegments(of: bytes, valueBytes: valueBytes, rows: rows, to: &segments)
                #expect(segments.reduce(0) { $0 + $1.count } == rows * valueBytes)
                #expect(segments.allSatisfy { $0.count % valueBytes == 0 })
            }
        }
    }
}
