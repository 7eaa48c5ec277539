/// Reads `RowBinary` answers: values one behind the other, rows without separators. Every read is checked, as the bytes
/// come from outside.
public struct RowBinaryReader {
    private let bytes: [UInt8]
    /// Bytes read so far.
    public private(set) var position = 0

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public var isAtEnd: Bool { position == bytes.count }
    public var bytesLeft: Int { bytes.count - position }

    public mutating func readUInt64() throws(RowBinaryError) -> UInt64 { try readInteger(UInt64.self) }
    public mutating func readInt64() throws(RowBinaryError) -> Int64 { try readInteger(Int64.self) }
    public mutating func readInt32() throws(RowBinaryError) -> Int32 { try readInteger(Int32.self) }
    public mutating func readUInt8() throws(RowBinaryError) -> UInt8 { try readInteger(UInt8.self) }

    public mutating func readUUID() throws(RowBinaryError) -> (high: UInt64, low: UInt64) {
        let high = try readUInt64()
        return (high, try readUInt64())
    }

    /// A VarUInt length and as many bytes.
    public mutating func readBytes() throws(RowBinaryError) -> ArraySlice<UInt8> {
        let start = position
        let length = try readVarint()
        guard length <= UInt64(bytesLeft) else {
            position = start
            throw RowBinaryError(position: start, wanted: "a string of \(length) bytes", bytesLeft: bytes.count - start)
        }
        defer { position += Int(length) }
        return bytes[position..<position + Int(length)]
    }

    /// A string; bytes that are not UTF-8 become replacement characters.
    public mutating func readString() throws(RowBinaryError) -> String {
        String(decoding: try readBytes(), as: UTF8.self)
    }

    private mutating func readVarint() throws(RowBinaryError) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        var shift: UInt64 = 0
        // Ten bytes hold 64 bits; the tenth may only hold the last of them.
        while shift < 64, position < bytes.count {
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        position = start
        throw RowBinaryError(position: start, wanted: "a VarUInt", bytesLeft: bytes.count - start)
    }

    private mutating func readInteger<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(RowBinaryError) -> T {
        let size = MemoryLayout<T>.size
        guard bytesLeft >= size else {
            throw RowBinaryError(position: position, wanted: "\(T.self)", bytesLeft: bytesLeft)
        }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: T.self) }
        position += size
        return T(littleEndian: value)
    }
}

/// An answer that ends in the middle of a value, or is not what was asked for.
public struct RowBinaryError: Error, Equatable, Sendable, CustomStringConvertible {
    public var position: Int
    public var wanted: String
    public var bytesLeft: Int

    public init(position: Int, wanted: String, bytesLeft: Int) {
        self.position = position
        self.wanted = wanted
        self.bytesLeft = bytesLeft
    }

    public var description: String {
        "ClickHouse's RowBinary answer does not parse: at byte \(position) \(wanted) was expected, \(bytesLeft) bytes are left"
    }
}
