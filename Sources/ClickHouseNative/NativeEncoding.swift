/// How ClickHouse's `Native` format writes values and heads, as HTTP carries it: no block info, no custom
/// serialization (both belong to the native TCP protocol's revisions above zero).
///
/// A body is one block: VarUInt columns, VarUInt rows, then for each column its name, its type and its values. A column
/// sent as `String` may be `LowCardinality(String)` in the table: the server converts it, cheaper than we would.
extension ByteBuffer {
    /// A VarUInt length and the bytes, any bytes: ClickHouse's String is not text.
    @inlinable
    public mutating func appendString(_ source: UnsafeRawBufferPointer) {
        appendVarint(source.count)
        append(source)
    }

    public mutating func appendString(_ text: String) {
        var text = text
        text.withUTF8 { appendString(UnsafeRawBufferPointer($0)) }
    }

    /// A UUID is two little-endian words, the first half of the text form first.
    @inlinable
    public mutating func appendUUID(high: UInt64, low: UInt64) {
        append(high)
        append(low)
    }

    /// What stands before the first column of a block.
    public mutating func appendBlockHead(columns: Int, rows: Int) {
        appendVarint(columns)
        appendVarint(rows)
    }

    /// What stands before the values of a column.
    public mutating func appendColumnHead(name: String, type: String) {
        appendString(name)
        appendString(type)
    }
}

/// The types that this module writes, with the names the server knows them by.
public enum NativeType: String, Sendable {
    case uuid = "UUID"
    case string = "String"
    case int32 = "Int32"
    case int64 = "Int64"
    /// Milliseconds since 1970, an Int64 on the wire.
    case dateTime64Milliseconds = "DateTime64(3, 'UTC')"

    /// The width of one value, nil where values differ in width.
    public var valueBytes: Int? {
        switch self {
        case .uuid: 16
        case .string: nil
        case .int32: 4
        case .int64, .dateTime64Milliseconds: 8
        }
    }
}
