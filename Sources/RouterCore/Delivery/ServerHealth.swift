/// Whether ClickHouse itself is to blame for what fails. A plain value: told what was answered, it says who is at fault.
///
/// Three things are known of a server: whether it answers (a `SELECT 1`), whether it takes writes (the neutral write
/// probe, or any insert that it acknowledged), and how many clients fail at the same time.
struct ServerHealth {
    private(set) var isAway = false
    /// Of the neutral write, while it was refused last.
    private(set) var refusal: (message: String, slowDown: Bool)?
    /// While most of the clients that were active lately fail: what one of them was told.
    private(set) var commonFailure: String?
    private(set) var isProbeTableMissing = false

    // Whether it answers.
    private(set) var probeTicket: UInt64?
    private var probeStartedMilliseconds: Int64 = 0
    /// The first one at once.
    private(set) var probeAtMilliseconds: Int64? = 0

    // Whether it takes writes.
    private(set) var writeTicket: UInt64?
    private var writeStartedMilliseconds: Int64 = 0
    /// When the next one is due: after a suspicion, and while the last one was refused.
    private(set) var writeAtMilliseconds: Int64?
    /// The newest failure that a write has to be newer than; nil when one was.
    private var suspectedAtMilliseconds: Int64?
    /// When the newest write that was acknowledged, a client's or the probe's, had been sent.
    private(set) var takenSinceMilliseconds: Int64 = .min
    private var lastWriteProbeMilliseconds: Int64 = .min

    /// nil while the server is thought to be well.
    var fault: ServerFault? {
        if isAway { return .away }
        if let refusal { return .refusesWrites(message: refusal.message) }
        if let commonFailure { return .mostClientsFail(message: commonFailure) }
        return nil
    }

    var isToBlame: Bool { isAway || refusal != nil || commonFailure != nil }

    /// Inserts that may be under way now.
    func maxInsertsInFlight(_ limits: DeliveryLimits) -> Int {
        if isAway { return 0 }
        if let refusal { return refusal.slowDown ? limits.maxInsertsInFlightWhileBlamed : 0 }
        // Only an insert can tell that clients are served again.
        return commonFailure == nil ? limits.maxInsertsInFlight : limits.maxInsertsInFlightWhileBlamed
    }

    // MARK: - Whether it answers

    mutating func probing(ticket: UInt64, nowMilliseconds: Int64) {
        probeTicket = ticket
        probeStartedMilliseconds = nowMilliseconds
        probeAtMilliseconds = nil
    }

    mutating func probed(isWell: Bool, nowMilliseconds: Int64, limits: DeliveryLimits) {
        probeTicket = nil
        isAway = !isWell
        // Asked again also while all is well: a server that is frozen answers nothing, and nothing else would notice
        // before the insert under way has timed out.
        probeAtMilliseconds =
            nowMilliseconds + (isWell ? limits.healthCheckMilliseconds : limits.probeMilliseconds)
    }

    func isProbeDue(nowMilliseconds: Int64) -> Bool {
        guard probeTicket == nil, let at = probeAtMilliseconds else { return false }
        return at <= nowMilliseconds
    }

    // MARK: - Whether it takes writes

    /// Something failed that may be the server's fault. A write that is sent from now on and acknowledged says that it is
    /// not; one of our own is made when no client's comes first.
    mutating func suspect(nowMilliseconds: Int64, limits: DeliveryLimits) {
        suspectedAtMilliseconds = nowMilliseconds
        guard writeTicket == nil, writeAtMilliseconds == nil else { return }
        let pause = lastWriteProbeMilliseconds == .min ? .min : lastWriteProbeMilliseconds + limits.probeMilliseconds
        writeAtMilliseconds = max(nowMilliseconds + limits.freeProbeMilliseconds, pause)
    }

    mutating func probingWrite(ticket: UInt64, nowMilliseconds: Int64) {
        writeTicket = ticket
        writeStartedMilliseconds = nowMilliseconds
        lastWriteProbeMilliseconds = nowMilliseconds
        writeAtMilliseconds = nil
    }

    mutating func writeProbed(_ answer: WriteProbeAnswer, nowMilliseconds: Int64, limits: DeliveryLimits) {
        writeTicket = nil
        isProbeTableMissing = answer == .missing
        switch answer {
        case .taken:
            refusal = nil
            taken(sentMilliseconds: writeStartedMilliseconds)
            // What has failed since it was sent is still to be told from the server's trouble.
            if suspectedAtMilliseconds != nil { suspect(nowMilliseconds: nowMilliseconds, limits: limits) }
        case .refused(let message, let slowDown):
            // An insert that was sent after it, and acknowledged meanwhile, knows better.
            guard takenSinceMilliseconds <= writeStartedMilliseconds else { return }
            refusal = (message, slowDown)
            writeAtMilliseconds = nowMilliseconds + limits.probeMilliseconds
        case .missing:
            refusal = nil
            suspectedAtMilliseconds = nil
        case .unknown:
            // Whether it answers at all is asked next, and then this again. Where it answers and does not get a row in
            // within the time of a probe, it has too much to do.
            refusal = ("it did not answer a write of one row in time", slowDown: true)
            writeAtMilliseconds = nowMilliseconds + limits.probeMilliseconds
            if probeTicket == nil { probeAtMilliseconds = nowMilliseconds }
        }
    }

    func isWriteProbeDue(nowMilliseconds: Int64) -> Bool {
        guard writeTicket == nil, !isAway, let at = writeAtMilliseconds else { return false }
        return at <= nowMilliseconds
    }

    /// A client's insert was acknowledged: a probe for free.
    mutating func taken(sentMilliseconds: Int64) {
        takenSinceMilliseconds = max(takenSinceMilliseconds, sentMilliseconds)
        if refusal != nil, sentMilliseconds > lastWriteProbeMilliseconds { refusal = nil }
        if let suspected = suspectedAtMilliseconds, takenSinceMilliseconds >= suspected {
            suspectedAtMilliseconds = nil
        }
        if refusal == nil && suspectedAtMilliseconds == nil { writeAtMilliseconds = nil }
    }

    mutating func mostClientsFail(_ message: String?) { commonFailure = message }

    /// When something of it is due; nil when it waits for an answer or for nothing.
    var nextDeadlineMilliseconds: Int64? {
        guard let write = isAway ? nil : writeAtMilliseconds else { return probeAtMilliseconds }
        return min(write, probeAtMilliseconds ?? .max)
    }
}

/// What the clients that were active lately were answered, each by its last answer.
struct RecentAnswers {
    private var last: [ClientID: (atMilliseconds: Int64, failingSinceMilliseconds: Int64?)] = [:]
    private var failingCount = 0

    /// - Parameter isFailing: false for an acknowledgement. What is a client's own fault is not told here.
    mutating func note(_ client: ClientID, isFailing: Bool, nowMilliseconds: Int64) {
        let before = last[client]?.failingSinceMilliseconds
        if before == nil && isFailing { failingCount += 1 }
        if before != nil && !isFailing { failingCount -= 1 }
        last[client] = (nowMilliseconds, isFailing ? before ?? nowMilliseconds : nil)
    }

    /// A client's own fault says nothing of the server.
    mutating func forget(_ client: ClientID) {
        if last.removeValue(forKey: client)?.failingSinceMilliseconds != nil { failingCount -= 1 }
    }

    /// More than half of two clients or more, each for longer than a moment. One alone is no crowd.
    mutating func mostFail(nowMilliseconds: Int64, limits: DeliveryLimits) -> Bool {
        guard failingCount > 1 else { return false }
        for (client, answer) in last where nowMilliseconds - answer.atMilliseconds > limits.activeMilliseconds {
            forget(client)
        }
        let failing = last.values.count { answer in
            answer.failingSinceMilliseconds.map { nowMilliseconds - $0 >= limits.suspicionMilliseconds } ?? false
        }
        return failing > 1 && failing * 2 > last.count
    }
}
