/// The commits of one partition: one under way at a time, what has come since is combined into the next.
struct CommitLane {
    private(set) var ticket: UInt64?
    private(set) var sent: PartitionState?
    /// What the broker last acknowledged.
    private(set) var durable: PartitionState?
    private var failures = 0
    private(set) var retryAtMilliseconds: Int64?
    /// A commit is wanted though nothing changed: to renew the lease.
    private var isRenewal = false

    /// - Parameter durable: what the broker holds; nil where that is not what is wanted, so that it is committed at once.
    init(durable: PartitionState?) {
        self.durable = durable
    }

    var isIdle: Bool { ticket == nil }

    mutating func renew() {
        isRenewal = true
    }

    /// The state to send now, if any.
    func next(wanted: PartitionState, nowMilliseconds: Int64) -> PartitionState? {
        guard ticket == nil, isRenewal || wanted != durable else { return nil }
        if let retryAtMilliseconds, nowMilliseconds < retryAtMilliseconds { return nil }
        return wanted
    }

    mutating func sending(_ state: PartitionState, ticket: UInt64) {
        self.ticket = ticket
        sent = state
        isRenewal = false
        retryAtMilliseconds = nil
    }

    /// - Returns: the state that is durable now, if this answer made one.
    mutating func answered(_ answer: CommitAnswer, nowMilliseconds: Int64, limits: DeliveryLimits) -> PartitionState? {
        ticket = nil
        switch answer {
        case .durable:
            failures = 0
            durable = sent
            return sent
        case .retry:
            // It may have become durable all the same: what the broker holds is unknown until the next answer.
            failures += 1
            durable = nil
            retryAtMilliseconds = nowMilliseconds + limits.backoffMilliseconds(failures: failures)
            return nil
        case .generationMissed:
            return nil
        }
    }
}
