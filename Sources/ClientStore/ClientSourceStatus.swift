/// How the two outer levels do, for `/readyz`, `/api/status` and the metrics. Texts hold no secrets.
public struct ClientSourceStatus: Sendable {
    public struct Level: Sendable {
        /// Look-ups since the start that this level answered, and those it did not.
        public var hits: UInt64 = 0
        public var misses: UInt64 = 0
        /// Times since the start that it could not be asked.
        public var failures: UInt64 = 0
        /// nil: not asked yet.
        public var isReachable: Bool?
        /// What went wrong last, while it is not reachable.
        public var error: String?

        public init() {}
    }

    public var redis = Level()
    /// `misses` are ids that no client has.
    public var postgres = Level()
    /// Whether changes are heard of as they happen.
    public var isListening = false
    /// Why not, while it is not.
    public var listenError: String?
    /// How many clients the list of all ids held when it was last read; nil when there was none to use.
    public var rosterCount: Int?
    /// Times since the start that it was read.
    public var rosterReads: UInt64 = 0
    /// Clients asked for that wait for an answer.
    public var openRequests = 0
    /// Entries in Redis that were of a wrong form or whose MAC was missing or wrong.
    public var rejectedCacheEntries: UInt64 = 0

    public init() {}
}
