/// The origins in one topic of users who were erased: rows that were deleted, and dead letters. No replay and no rebuild makes
/// rows of them.
struct ErasedOrigins: Sendable {
    /// A stretch as `RemovedWindow` cuts them: a look-up meets those of one place only, however many erasures there were.
    private struct Stretch: Hashable {
        var partition: Int32
        var number: Int64
    }

    private var stretches: [Stretch: [OffsetRuns]] = [:]

    init(_ ledger: RemovalLedger, topic: String) throws {
        try ledger.erasedOrigins(topic) { partition, runs in
            guard let first = runs.runs.first else { return }
            let stretch = Stretch(partition: partition, number: first.lowerBound / RemovedWindow.width)
            stretches[stretch, default: []].append(runs)
        }
    }

    func contains(_ partition: Int32, _ offset: Int64) -> Bool {
        let stretch = Stretch(partition: partition, number: offset / RemovedWindow.width)
        return stretches[stretch]?.contains { $0.contains(offset) } ?? false
    }
}
