/// Whether one client's destination is thought to work. Without a circuit it is closed: rows flow.
struct DestinationCircuit {
    enum State: Equatable {
        /// Rows become dead letters; a probe asks from time to time.
        case open(probeAtMilliseconds: Int64)
        case probing
        /// A probe succeeded: rows flow, and the first refusal opens it again at once.
        case halfOpen
    }

    var state: State
    var message: String

    var refusal: Refusal? {
        state == .halfOpen
            ? nil : Refusal(.destinationUnavailable, "this client's destination refuses writes: \(message)")
    }
}

/// Whether ClickHouse itself is there, as told by a probe that has nothing to do with any client.
struct ServerHealth {
    private(set) var isAway = false
    private(set) var probeTicket: UInt64?
    /// When the last probe that succeeded was started.
    private(set) var wellSinceMilliseconds: Int64 = .min
    private var probeStartedMilliseconds: Int64 = 0
    /// The first one at once.
    private(set) var probeAtMilliseconds: Int64? = 0

    mutating func probing(ticket: UInt64, nowMilliseconds: Int64) {
        probeTicket = ticket
        probeStartedMilliseconds = nowMilliseconds
        probeAtMilliseconds = nil
    }

    /// - Returns: true when its answer changed `isAway`.
    mutating func probed(isWell: Bool, nowMilliseconds: Int64, limits: DeliveryLimits) -> Bool {
        probeTicket = nil
        let was = isAway
        isAway = !isWell
        if isWell { wellSinceMilliseconds = probeStartedMilliseconds }
        // Asked again also while all is well: a server that is frozen answers nothing, and nothing else would notice
        // before the insert under way has timed out.
        probeAtMilliseconds =
            nowMilliseconds + (isWell ? limits.healthCheckMilliseconds : limits.probeMilliseconds)
        return was != isAway
    }

    func isDue(nowMilliseconds: Int64) -> Bool {
        guard probeTicket == nil, let at = probeAtMilliseconds else { return false }
        return at <= nowMilliseconds
    }
}
