import ClickHouseNative

/// One client's rows of one sealed batch: the body of one INSERT in `Native`, and what is asked about it afterwards.
///
/// `@unchecked Sendable`: every buffer is written before `init` returns and never after, and lives as long as the block.
public final class SealedBlock: @unchecked Sendable {
    /// What all rows of the block have in common.
    public struct Origin: Sendable {
        public var clientID: ClientID
        public var batchID: UUID128
        public var topic: String
        public var partition: Int32
        /// When the batch was sealed, milliseconds since 1970.
        public var ingestedAtMilliseconds: Int64
    }

    public let origin: Origin
    public let rowCount: Int
    /// The body in the order of sending. The memory belongs to the block: keep the block while these are in use. Some
    /// of it is sent several times (columns in which all rows are the same).
    public let segments: [UnsafeRawBufferPointer]
    /// The sum of the segments: the request's Content-Length.
    public let bodyBytes: Int
    /// Bytes taken from the allocator: what the memory budget counts.
    public let allocatedBytes: Int

    private let rows: EventRows
    /// The head of the block, the heads of the columns and the repeated values.
    private let frame: ByteBuffer

    init(rows: consuming EventRows, origin: Origin) {
        let frame = BlockFrame(origin: origin, rowCount: rows.count)
        let segments = frame.segments(rows)
        self.origin = origin
        self.rowCount = rows.count
        self.segments = segments
        self.bodyBytes = segments.reduce(0) { $0 + $1.count }
        self.allocatedBytes = rows.allocatedBytes + frame.capacity
        self.rows = rows
        self.frame = frame.intoBuffer()
    }

    /// The Kafka offset of a row; nil when the block has no such row.
    public func offset(ofRow row: Int) -> Int64? {
        guard row >= 0, row < rowCount else { return nil }
        return Int64(littleEndian: rows.sourceOffset.bytes.loadUnaligned(fromByteOffset: row * 8, as: Int64.self))
    }

    /// The record's own timestamp; nil when the block has no such row.
    public func receivedAtMilliseconds(ofRow row: Int) -> Int64? {
        guard row >= 0, row < rowCount else { return nil }
        return Int64(littleEndian: rows.receivedAt.bytes.loadUnaligned(fromByteOffset: row * 8, as: Int64.self))
    }

    /// The rows whose offset *and* time are among `origins`, ascending.
    public func rows(atOrigins origins: [(offset: Int64, receivedAtMilliseconds: Int64)]) -> [Int32] {
        if origins.isEmpty { return [] }
        let wanted = Dictionary(grouping: origins, by: \.offset)
        return (0..<rowCount).compactMap { row in
            guard let offset = offset(ofRow: row), let time = receivedAtMilliseconds(ofRow: row) else { return nil }
            let isHeld = wanted[offset]?.contains { $0.receivedAtMilliseconds == time } ?? false
            return isHeld ? Int32(row) : nil
        }
    }

    /// The lowest offset and one past the highest; nil for a block without rows.
    public var offsetRange: Range<Int64>? {
        guard let first = offset(ofRow: 0), let last = offset(ofRow: rowCount - 1) else { return nil }
        return min(first, last)..<max(first, last) + 1
    }

    /// The rows whose offsets are among `offsets`, ascending. The list may be in any order, name an offset twice, and
    /// name offsets that this block does not have.
    public func rows(at offsets: [Int64]) -> [Int32] {
        if offsets.isEmpty { return [] }
        let wanted = Set(offsets)
        var found: [Int32] = []
        found.reserveCapacity(min(wanted.count, rowCount))
        for row in 0..<rowCount {
            if let offset = offset(ofRow: row), wanted.contains(offset) { found.append(Int32(row)) }
        }
        return found
    }

    /// A block of only these rows, with all else equal: for what is left after a read-back, and for a split. Row
    /// indices in any order; those that the block does not have, and repeats, are left out.
    public func selecting(rows indices: [Int32]) -> SealedBlock {
        let last = Int32(rowCount)
        var chosen = indices.filter { $0 >= 0 && $0 < last }
        if !isAscending(chosen) { chosen = Array(Set(chosen)).sorted() }
        if chosen.count == rowCount { return self }
        return SealedBlock(rows: rows.selecting(chosen), origin: origin)
    }

    /// A block of only the rows of the set.
    public func selecting(_ set: RowSet) -> SealedBlock {
        guard let indices = set.indices else { return self }
        return selecting(rows: indices)
    }

    /// Whether each is above the one before it.
    private func isAscending(_ indices: [Int32]) -> Bool {
        zip(indices, indices.dropFirst()).allSatisfy { $0 < $1 }
    }
}
