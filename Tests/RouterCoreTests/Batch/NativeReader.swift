import RouterCore

/// A second opinion on the format: reads a body of ours by ClickHouse's documentation, checking every bound, and shares
/// no code with what writes it. The readers that nobody here wrote are in `read_block.py`.
struct NativeReader {
    struct Column {
        var name: String
        var type: String
        var values: [[UInt8]]
    }

    enum Fault: Error { case short, unknownType(String), trailing(Int) }

    private let bytes: [UInt8]
    private var position = 0

    static func read(_ bytes: [UInt8]) throws -> [Column] {
        var reader = NativeReader(bytes: bytes)
        let columns = try reader.varint()
        let rows = try reader.varint()
        var result: [Column] = []
        for _ in 0..<columns {
            let name = String(decoding: try reader.string(), as: UTF8.self)
            let type = String(decoding: try reader.string(), as: UTF8.self)
            var values: [[UInt8]] = []
            for _ in 0..<rows { values.append(try reader.value(type)) }
            result.append(Column(name: name, type: type, values: values))
        }
        guard reader.position == bytes.count else { throw Fault.trailing(bytes.count - reader.position) }
        return result
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        guard count >= 0, count <= bytes.count - position else { throw Fault.short }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    private mutating func varint() throws -> Int {
        var value = 0
        var factor = 1
        while true {
            let byte = Int(try take(1)[0])
            value += (byte % 128) * factor
            if byte < 128 { return value }
            factor *= 128
        }
    }

    private mutating func string() throws -> [UInt8] { try take(try varint()) }

    private mutating func value(_ type: String) throws -> [UInt8] {
        switch type {
        case "String": try string()
        case "UUID": try take(16)
        case "Int64", "DateTime64(3, 'UTC')": try take(8)
        case "Int32": try take(4)
        default: throw Fault.unknownType(type)
        }
    }
}
