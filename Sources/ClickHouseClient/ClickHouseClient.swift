/// ClickHouse over HTTP: requests in, answers that can be relied on out. One thread of its own, at most `connections`
/// requests under way, connections kept alive between them.
///
/// It retries nothing: whether a request may be sent again is for the caller to know. Cancelling a task that waits in
/// `perform` does not cancel the request, as closing the connection would not stop the server either.
public final class ClickHouseClient: Sendable {
    public let endpoint: ClickHouseEndpoint
    private let loop: TransferLoop

    /// - Parameter connections: requests under way at once; further ones wait their turn, in order, and their timeout
    ///   starts when it comes.
    public init(endpoint: ClickHouseEndpoint, connections: Int) {
        self.endpoint = endpoint
        self.loop = TransferLoop(endpoint: endpoint, connections: connections)
        loop.start()
    }

    deinit { loop.stop() }

    /// Sends a request. `completion` is called exactly once, usually on the client's thread, where it must not block:
    /// every other request waits meanwhile.
    public func submit(_ request: ClickHouseRequest, completion: @escaping @Sendable (ClickHouseAnswer) -> Void) {
        loop.submit(request, completion: completion)
    }

    public func perform(_ request: ClickHouseRequest) async -> ClickHouseAnswer {
        await withCheckedContinuation { continuation in
            loop.submit(request) { continuation.resume(returning: $0) }
        }
    }

    /// Ends at once: whatever waits or is under way is answered `.unknown` before this returns (called from a
    /// completion, soon after). Later requests are answered so, too.
    public func shutdown() {
        loop.stop()
        loop.join()
    }
}
