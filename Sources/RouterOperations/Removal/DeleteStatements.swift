import RouterCore

/// The statements that delete rows by their origins, and by nothing else: what ClickHouse keeps of a mutation (its list,
/// its files) then names offsets and no person, and a row that came after the count stays.
struct DeleteStatements {
    /// A statement's text stays far below ClickHouse's `max_query_size` of 256 KiB: 21 bytes an offset.
    static let maxOffsets = 4000
    /// Each is an OR; ClickHouse bounds the depth and the size of an expression.
    static let maxRuns = 400
    /// Shorter runs go into the list of single offsets.
    private static let minRun = 4

    let quotedTable: String

    func statements(_ runs: OffsetRuns, topic: String, partition: Int32) -> [String] {
        var statements: [String] = []
        var singles: [Int64] = []
        var ranges: [ClosedRange<Int64>] = []
        func flush() {
            guard !singles.isEmpty || !ranges.isEmpty else { return }
            var conditions = ranges.map { "source_offset BETWEEN \($0.lowerBound) AND \($0.upperBound)" }
            if !singles.isEmpty {
                conditions.append("source_offset IN (\(singles.map(String.init).joined(separator: ",")))")
            }
            statements.append(
                """
                ALTER TABLE \(quotedTable) DELETE WHERE source_topic = \(SQLText.literal(topic)) \
                AND source_partition = \(partition) AND (\(conditions.joined(separator: " OR ")))
                """)
            singles = []
            ranges = []
        }
        for run in runs.runs {
            if run.count < Self.minRun { singles += run } else { ranges.append(run) }
            if singles.count >= Self.maxOffsets || ranges.count >= Self.maxRuns { flush() }
        }
        flush()
        return statements
    }
}
