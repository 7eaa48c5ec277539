import PostgresClient
import RouterCore

/// The dead letters that an operator gave up, as ranges of offsets of the raw topic.
struct DeadLetterDiscards: Sendable, Equatable {
    /// By partition: ascending, neither touching nor overlapping.
    private(set) var ranges: [Int32: [ClosedRange<Int64>]] = [:]

    init(_ ranges: [(partition: Int32, offsets: ClosedRange<Int64>)] = []) {
        for (partition, offsets) in ranges { self.ranges[partition, default: []].append(offsets) }
        for partition in self.ranges.keys {
            let sorted = (self.ranges[partition] ?? []).sorted { $0.lowerBound < $1.lowerBound }
            var merged: [ClosedRange<Int64>] = []
            for range in sorted {
                if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                    merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
                } else {
                    merged.append(range)
                }
            }
            self.ranges[partition] = merged
        }
    }

    var isEmpty: Bool { ranges.isEmpty }

    func contains(_ partition: Int32, _ offset: Int64) -> Bool {
        guard let all = ranges[partition] else { return false }
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].upperBound < offset { low = middle + 1 } else { high = middle }
        }
        return low < all.count && all[low].contains(offset)
    }

    /// Neighbouring offsets as one range each.
    static func ranges(of offsets: [Int64]) -> [ClosedRange<Int64>] {
        var ranges: [ClosedRange<Int64>] = []
        for offset in offsets.sorted() {
            if let last = ranges.last, offset <= last.upperBound + 1 {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, offset)
            } else {
                ranges.append(offset...offset)
            }
        }
        return ranges
    }
}

extension DeadLetterDiscards {
    /// All discards of a raw topic. A database without the table (an older schema) has none.
    static func load(_ connection: PostgresConnection, topic: String) throws -> DeadLetterDiscards {
        do throws(PostgresError) {
            let rows = try connection.query(
                "SELECT partition, from_offset, to_offset FROM public.dead_letter_discard_ranges WHERE topic = $1",
                [topic]
            ).rows
            var ranges: [(partition: Int32, offsets: ClosedRange<Int64>)] = []
            for row in rows {
                let (low, high) = (try row.requiredInteger("from_offset"), try row.requiredInteger("to_offset"))
                ranges.append((Int32(clamping: try row.requiredInteger("partition")), low...max(low, high)))
            }
            return DeadLetterDiscards(ranges)
        } catch {
            if error.sqlState == "42P01" { return DeadLetterDiscards() }
            throw error
        }
    }
}
