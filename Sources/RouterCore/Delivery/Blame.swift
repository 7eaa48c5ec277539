// Who is at fault: ClickHouse itself, for which everything waits, or one client's destination, whose circuit opens.
extension Delivery {
    mutating func probeWhatIsDue() {
        if health.isProbeDue(nowMilliseconds: now) { probeServerUnlessProbing() }
        if health.isWriteProbeDue(nowMilliseconds: now) { probeWrite() }
    }

    mutating func probeServerUnlessProbing() {
        guard health.probeTicket == nil else { return }
        let ticket = ticket()
        health.probing(ticket: ticket, nowMilliseconds: now)
        actions.append(.probeServer(ticket: ticket))
    }

    private mutating func probeWrite() {
        let ticket = ticket()
        health.probingWrite(ticket: ticket, nowMilliseconds: now)
        actions.append(.probeWrite(ticket: ticket))
    }

    // MARK: - What was answered

    mutating func serverProbed(_ ticket: UInt64, _ isWell: Bool) {
        guard health.probeTicket == ticket else { return }
        health.probed(isWell: isWell, nowMilliseconds: now, limits: limits)
    }

    mutating func writeProbed(_ ticket: UInt64, _ answer: WriteProbeAnswer) {
        guard health.writeTicket == ticket else { return }
        let wasMissing = health.isProbeTableMissing
        health.writeProbed(answer, nowMilliseconds: now, limits: limits)
        if health.isProbeTableMissing && !wasMissing { actions.append(.writeProbeMissing) }
        isVerdictDue = true
    }

    /// An acknowledged insert says that the server takes writes.
    mutating func noteSuccess(_ client: ClientID, sentMilliseconds: Int64) {
        recent.note(client, isFailing: false, nowMilliseconds: now)
        health.taken(sentMilliseconds: sentMilliseconds)
        isVerdictDue = true
    }

    /// A refusal or a silence that may be the server's.
    mutating func noteSuspicion(_ client: ClientID) {
        // What is known to be broken, or already given up, says nothing of the server.
        guard circuits[client] == nil else { return }
        recent.note(client, isFailing: true, nowMilliseconds: now)
        health.suspect(nowMilliseconds: now, limits: limits)
    }

    // MARK: - What follows

    /// Compares with what was thought before an event, and tells what has changed.
    mutating func judgeServer(before: ServerFault?, lastMessage: String?) {
        if let lastMessage, health.commonFailure == nil, recent.mostFail(nowMilliseconds: now, limits: limits) {
            health.mostClientsFail(lastMessage)
        } else if health.commonFailure != nil, !recent.mostFail(nowMilliseconds: now, limits: limits) {
            health.mostClientsFail(nil)
        }
        let fault = health.fault
        // Not before the clocks were set back: what failed while the server was to blame is nobody's fault.
        defer { if before == nil && fault == nil && isVerdictDue { blameDestinations() } }
        guard (fault == nil) != (before == nil) || (fault == .away) != (before == .away) else { return }
        if let fault {
            actions.append(.serverBlamed(fault))
            goOnTrying()
        } else {
            actions.append(.serverBack)
            serverIsBack()
        }
    }

    /// While an insert can tell that the server is well again, the blocks that wait for a verdict go on trying.
    private mutating func goOnTrying() {
        guard health.maxInsertsInFlight(limits) > 0 else { return }
        let held = waitingForServer
        waitingForServer = []
        for key in held {
            batches[key.batch]?.blocks[key.client]?.keepTrying(nowMilliseconds: now, limits: limits)
            enqueue(key)
        }
    }

    /// Its trouble is nobody's fault: every clock starts anew.
    private mutating func serverIsBack() {
        for (id, batch) in batches {
            for client in batch.blocks.keys {
                batches[id]!.blocks[client]!.serverIsBack(nowMilliseconds: now)
            }
        }
        let held = waitingForServer
        waitingForServer = []
        for key in held { enqueue(key) }
    }

    /// Gives a block up that has failed for too long, once it is known that the server is not to blame.
    mutating func giveUpIfItLastsTooLong(_ key: BlockKey) {
        guard let block = batches[key.batch]?.blocks[key.client], case .wait = block.step, !health.isToBlame,
            block.hasTimedOut(nowMilliseconds: now, limitMilliseconds: limits.destinationTimeoutMilliseconds)
        else { return }
        if block.isOwnFault { return openCircuit(key.client, message: block.lastMessage) }
        batches[key.batch]!.blocks[key.client]!.confirm()
    }

    /// Opens the circuits of destinations that have failed too long and later than which the server took a write.
    private mutating func blameDestinations() {
        isVerdictDue = false
        let confirming = waitingForServer
        waitingForServer = []
        for key in confirming {
            guard let block = batches[key.batch]?.blocks[key.client] else { continue }
            guard block.step == .confirm, !health.isToBlame else {
                // One that was given up meanwhile with its client's others goes its own way.
                if block.step == .confirm || block.step == .deadLetter { waitingForServer.append(key) }
                continue
            }
            if health.takenSinceMilliseconds >= block.lastFailureMilliseconds {
                openCircuit(key.client, message: block.lastMessage)
            } else if health.isProbeTableMissing {
                // Nothing is known of the server, so nobody is blamed.
                batches[key.batch]!.blocks[key.client]!.keepTrying(nowMilliseconds: now, limits: limits)
                enqueue(key)
            } else {
                waitingForServer.append(key)
                health.suspect(nowMilliseconds: now, limits: limits)
            }
        }
    }
}
