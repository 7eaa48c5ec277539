import ClickHouseClient
import ClickHouseNative
import RouterCore

/// The rows of one table, or some of them, counted and located before they go.
struct EventRowsToRemove: Sendable {
    /// The rows of one partition of one topic.
    struct Extent: Sendable, Equatable {
        var topic: String
        var partition: Int32
        var rows: Int
        var lowest: Int64
        var highest: Int64
    }

    /// 24 MiB of offsets in an answer at the most that is aimed for.
    static let rowsPerQuestion = 1 << 20

    let warehouse: Warehouse
    let database: String
    let table: String
    /// SQL that chooses the rows; written here, never taken from outside.
    var condition = "1"

    var quotedTable: String { Identifier.quoted(database) + "." + Identifier.quoted(table) }

    func count() async throws -> Int {
        let answer = try await warehouse.ask("SELECT count() FROM \(quotedTable) WHERE \(condition) FORMAT RowBinary")
        return Int(clamping: try CountAnswer.read(answer))
    }

    /// Milliseconds since 1970 of the oldest and the newest event; nil without rows.
    func times() async throws -> ClosedRange<Int64>? {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT count(), toUnixTimestamp64Milli(min(event_timestamp)), \
                toUnixTimestamp64Milli(max(event_timestamp)) FROM \(quotedTable) WHERE \(condition) FORMAT RowBinary
                """))
        guard try reader.readUInt64() > 0 else { return nil }
        let (oldest, newest) = (try reader.readInt64(), try reader.readInt64())
        return oldest <= newest ? oldest...newest : nil
    }

    func extents() async throws -> [Extent] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT toString(source_topic) AS topic, source_partition, count(), min(source_offset), \
                max(source_offset) FROM \(quotedTable) WHERE \(condition) \
                GROUP BY topic, source_partition ORDER BY topic, source_partition FORMAT RowBinary
                """))
        var extents: [Extent] = []
        while !reader.isAtEnd {
            extents.append(
                Extent(
                    topic: try reader.readString(), partition: try reader.readInt32(),
                    rows: Int(clamping: try reader.readUInt64()), lowest: try reader.readInt64(),
                    highest: try reader.readInt64()))
        }
        return extents
    }

    /// Calls `body` with ascending offsets, part by part, from `lower` on. An offset that is there twice comes twice.
    func offsets(of extent: Extent, from lower: Int64, _ body: ([Int64]) throws -> Void) async throws {
        var lo = max(lower, extent.lowest)
        // As many offsets as should hold the rows of one answer; cut at the edges of stored windows.
        let share = Double(extent.highest - extent.lowest + 1) / Double(max(1, extent.rows))
        let step = Int64(max(1, min(share * Double(Self.rowsPerQuestion), 1e15)))
        while lo <= extent.highest {
            let width = RemovedWindow.width
            let hi = min(extent.highest + 1, ((lo + step) / width + 1) * width)
            try await ask(extent, lo..<hi, body)
            lo = hi
        }
    }

    private func ask(_ extent: Extent, _ range: Range<Int64>, _ body: ([Int64]) throws -> Void) async throws {
        let answer: [UInt8]
        do {
            answer = try await warehouse.ask(
                """
                SELECT source_offset FROM \(quotedTable) WHERE (\(condition)) AND source_topic = {topic:String} \
                AND source_partition = {p:Int32} AND source_offset >= {lo:Int64} AND source_offset < {hi:Int64} \
                ORDER BY source_offset FORMAT RowBinary
                """,
                [
                    ("topic", extent.topic), ("p", String(extent.partition)), ("lo", String(range.lowerBound)),
                    ("hi", String(range.upperBound)),
                ])
        } catch let fault as ClickHouseTransportFault
            where fault.kind == .responseTooLarge && range.count > Int(RemovedWindow.width)
        {
            let middle = (range.lowerBound + Int64(range.count / 2)) / RemovedWindow.width * RemovedWindow.width
            let cut = middle > range.lowerBound ? middle : range.lowerBound + RemovedWindow.width
            try await ask(extent, range.lowerBound..<cut, body)
            return try await ask(extent, cut..<range.upperBound, body)
        }
        let offsets = try ReadBack.offsets(answer)
        if !offsets.isEmpty { try body(offsets) }
    }
}
