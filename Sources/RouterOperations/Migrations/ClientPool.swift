import ClientStore

/// Several clients at once, at most `limit` of them.
enum ClientPool {
    /// More would only queue at ClickHouse: a definition's change is a few small files and a lock.
    static let maxParallel = 64
    static let defaultParallel = 4

    /// - Parameters:
    ///   - body: one client's work. An error means that no further client would fare better: none is begun, those under
    ///     way end.
    ///   - each: called as each one ends, in that order.
    /// - Returns: the first error, if there was one.
    static func run<Result: Sendable>(
        _ records: [ClientRecord], limit: Int, body: @escaping @Sendable (ClientRecord) async throws -> Result,
        each: (ClientRecord, Result) -> Void
    ) async -> (any Error)? {
        await withTaskGroup(of: (ClientRecord, Swift.Result<Result, any Error>).self) { group in
            var waiting = records.makeIterator()
            var failure: (any Error)?
            func begin() {
                guard failure == nil, let next = waiting.next() else { return }
                group.addTask {
                    do { return (next, .success(try await body(next))) } catch { return (next, .failure(error)) }
                }
            }
            for _ in 0..<max(1, min(limit, maxParallel)) { begin() }
            while let (record, result) = await group.next() {
                switch result {
                case .success(let value): each(record, value)
                case .failure(let error): failure = failure ?? error
                }
                begin()
            }
            return failure
        }
    }
}
