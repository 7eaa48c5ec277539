/// One client's destination that is thought to be broken: its rows become dead letters. Without a circuit rows flow.
struct DestinationCircuit {
    enum State: Equatable {
        /// The first block that comes at or after this time is the trial.
        case open(trialAtMilliseconds: Int64)
        /// One real insert is on its way, timed; everything else of the client still becomes dead letters.
        case halfOpen(trial: BlockKey)
    }

    var state: State
    var message: String
    let sinceMilliseconds: Int64
    var failedTrials = 0

    var refusal: Refusal { Refusal(.destinationUnavailable, "this client's destination refuses writes: \(message)") }

    func isTrial(_ key: BlockKey) -> Bool { state == .halfOpen(trial: key) }
}

/// A client's circuit as it is shown: since when and how often, not by its state at a glance.
public struct OpenCircuit: Sendable, Equatable {
    public var client: ClientID
    /// A real insert of the client is on its way, to see whether it is mended.
    public var isHalfOpen: Bool
    /// Monotonic milliseconds.
    public var sinceMilliseconds: Int64
    /// How often it has opened in this life, this time included.
    public var openedCount: Int
    /// What the server said last.
    public var message: String
}

extension Delivery {
    public var openCircuits: [OpenCircuit] {
        circuits.map { client, circuit in
            var isHalfOpen = false
            if case .halfOpen = circuit.state { isHalfOpen = true }
            return OpenCircuit(
                client: client, isHalfOpen: isHalfOpen, sinceMilliseconds: circuit.sinceMilliseconds,
                openedCount: circuitOpenings[client] ?? 1, message: circuit.message)
        }
    }

    mutating func openCircuit(_ client: ClientID, message: String) {
        guard circuits[client] == nil else { return }
        let circuit = DestinationCircuit(
            state: .open(trialAtMilliseconds: now + limits.probeMilliseconds), message: message,
            sinceMilliseconds: now)
        circuits[client] = circuit
        circuitOpenings[client, default: 0] += 1
        recent.forget(client)
        actions.append(.circuitOpened(client: client, message: message))
        for (id, batch) in batches where batch.blocks[client] != nil {
            giveUp(BlockKey(batch: id, client: client), circuit.refusal)
        }
    }

    private mutating func giveUp(_ key: BlockKey, _ refusal: Refusal) {
        guard let before = batches[key.batch]?.blocks[key.client]?.step else { return }
        batches[key.batch]!.blocks[key.client]!.circuitOpened(refusal)
        if batches[key.batch]!.blocks[key.client]!.step != before { enqueue(key) }
    }

    /// - Returns: what the new block's rows are refused with; nil where they are inserted.
    mutating func refusal(ofNew key: BlockKey) -> Refusal? {
        guard let circuit = circuits[key.client] else { return nil }
        guard case .open(let trialAt) = circuit.state, trialAt <= now, !health.isToBlame else { return circuit.refusal }
        circuits[key.client]!.state = .halfOpen(trial: key)
        return nil
    }

    /// The trial's insert was answered.
    mutating func trialAnswered(_ key: BlockKey, sentMilliseconds: Int64, _ answer: InsertAnswer) {
        guard let circuit = circuits[key.client], circuit.isTrial(key) else { return }
        switch answer {
        case .acknowledged, .rowFault:
            // A row that is refused was judged by a table that works.
            guard now - sentMilliseconds <= limits.destinationTimeoutMilliseconds else {
                return trialFailed(key, "an insert took \((now - sentMilliseconds) / 1000) s")
            }
            circuits[key.client] = nil
            actions.append(.circuitClosed(client: key.client))
        case .refused(let message, _), .unknown(let message, _):
            trialFailed(key, message)
        case .notSent:
            break
        }
    }

    /// The circuit stays open, and what is left of the trial's rows goes the way of the others.
    mutating func trialFailed(_ key: BlockKey, _ message: String) {
        guard let circuit = circuits[key.client], circuit.isTrial(key) else { return }
        circuits[key.client]!.failedTrials += 1
        let failures = circuits[key.client]!.failedTrials
        circuits[key.client]!.state = .open(
            trialAtMilliseconds: now + max(limits.probeMilliseconds, limits.backoffMilliseconds(failures: failures)))
        circuits[key.client]!.message = message
        giveUp(key, circuits[key.client]!.refusal)
    }

    /// A trial that ended without an insert (its rows were there, or its batch was dropped) told nothing: the next is due.
    mutating func endTrial(_ key: BlockKey) {
        guard circuits[key.client]?.isTrial(key) == true else { return }
        circuits[key.client]!.state = .open(trialAtMilliseconds: now)
    }

    mutating func endTrials(of batch: UUID128) {
        for (client, circuit) in circuits {
            if case .halfOpen(let trial) = circuit.state, trial.batch == batch {
                circuits[client]!.state = .open(trialAtMilliseconds: now)
            }
        }
    }
}
