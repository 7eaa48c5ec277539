/// The numbers that bound delivery. Times are milliseconds of a monotonic clock that goes on while the process is frozen.
public struct DeliveryLimits: Sendable {
    /// Batches of one partition that may be sealed and not complete. 64 words fit Kafka's 4,096 bytes of metadata with room to spare.
    public var maxOutstandingBatches = 64
    /// Inserts under way at once, over all clients: enough to keep ClickHouse busy, few enough for its connection limits.
    public var maxInsertsInFlight = 6
    /// Inserts under way at once for one client, so that a slow one leaves room for the others.
    public var maxInsertsInFlightPerClient = 2
    /// Read-backs and other questions under way at once.
    public var maxQuestionsInFlight = 4
    /// How long one client's destination may refuse before its rows become dead letters: `ROUTER_DESTINATION_TIMEOUT_MS`.
    public var destinationTimeoutMilliseconds: Int64 = 60_000
    /// How long after its last successful commit a member may still start an insert. Below the session timeout, by a margin
    /// for the insert's own start.
    public var leaseMilliseconds: Int64 = 30_000
    /// The server ends an insert after this long (`max_execution_time`), so an unknown outcome is known to be over after it.
    public var maxExecutionMilliseconds: Int64 = 60_000
    /// How long a revoked partition may finish what it has sealed before it is let go.
    public var revokeDrainMilliseconds: Int64 = 5_000
    /// Backoff starts here and doubles …
    public var backoffFirstMilliseconds: Int64 = 200
    /// … up to here.
    public var backoffLimitMilliseconds: Int64 = 5_000
    /// How often a running query is asked after.
    public var quietPollMilliseconds: Int64 = 500
    /// How often a server that is to blame, or a client's broken destination, is tried again.
    public var probeMilliseconds: Int64 = 2_000
    /// How often a server that is well is asked whether it still is.
    public var healthCheckMilliseconds: Int64 = 5_000
    /// How long another client's insert may take to be the probe of a server that is suspected.
    public var freeProbeMilliseconds: Int64 = 200
    /// Who has sent rows within this time counts among the clients that were active lately, longer than any backoff.
    public var activeMilliseconds: Int64 = 60_000
    /// Refusals have to last this long before they count against the server: one full merge queue passes by itself.
    public var suspicionMilliseconds: Int64 = 2_000
    /// Inserts under way while the server says that it has too much to do, or while only an insert can tell that it is
    /// well again.
    public var maxInsertsInFlightWhileBlamed = 1
    /// Inserts spent on finding the rows that a server refuses in one block. Halving finds one bad row among 200,000 in some
    /// 36 inserts; a block with very many bad rows must not occupy the server, so what is left then is refused as a whole.
    public var maxSplitInserts = 256

    public init() {}

    func backoffMilliseconds(failures: Int) -> Int64 {
        let doubled = backoffFirstMilliseconds << Int64(min(max(failures - 1, 0), 16))
        return min(doubled, backoffLimitMilliseconds)
    }
}
