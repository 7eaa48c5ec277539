/// Whether a client may send events with the key it showed: the part of the order of reasons that is about clients
/// (`unknown_client`, `invalid_api_key`, `client_not_active`).
public enum ClientJudgement {
    public static let unknownClient = Refusal(
        .unknownClient, "no client has this client_id; check the id, or add the client first")

    /// nil when the event may go on. `nowMilliseconds` is the wall clock, milliseconds since 1970, UTC: the
    /// previous key of a rotation is good until its expiry, and no longer at it.
    public static func refusal(
        for entry: ClientEntry, keyHash: KeyHash, nowMilliseconds: Int64
    ) -> Refusal? {
        if !isKey(keyHash, of: entry, nowMilliseconds: nowMilliseconds) {
            return Refusal(
                .invalidAPIKey, "api_key_hash is not the SHA-256 of this client's API key, or of one that has expired")
        }
        if entry.status != .active {
            return Refusal(.clientNotActive, "the client is \(entry.status.rawValue), not active")
        }
        return nil
    }

    /// Both keys are compared whatever the first comparison says, so that the time tells nothing.
    private static func isKey(_ keyHash: KeyHash, of entry: ClientEntry, nowMilliseconds: Int64) -> Bool {
        let isCurrent = entry.keyHash.matches(keyHash)
        // A client without a previous key is compared with its current one a second time.
        let isPrevious = (entry.previousKeyHash ?? entry.keyHash).matches(keyHash)
        let isPreviousValid = entry.previousKeyHash != nil && nowMilliseconds < entry.previousKeyExpiresAtMilliseconds
        return isCurrent || (isPrevious && isPreviousValid)
    }
}

/// What to do with an event of a client.
public enum ClientVerdict {
    /// The event goes on, into the database that the entry names.
    case accepted(ClientEntry)
    /// The event becomes a dead letter.
    case refused(Refusal)
    /// The directory has to hear from its source first. Ask again after its next event.
    case wait
}

extension ClientDirectory {
    /// Finds the client and judges its key and status.
    ///
    /// An entry that is not fresh may let an event in, and never refuse one: Postgres may have been told meanwhile
    /// that the key is good and the client active, and an outage must not make dead letters. Such an event waits. So
    /// does one that a fresh entry refuses when neither the listener nor Postgres has confirmed the entry for a second.
    ///
    /// `nowMilliseconds` is the directory's monotonic clock, `wallMilliseconds` counts from 1970, UTC.
    public mutating func judge(
        _ id: ClientID, keyHash: KeyHash, nowMilliseconds: Int64, wallMilliseconds: Int64
    ) -> ClientVerdict {
        switch find(id, nowMilliseconds: nowMilliseconds) {
        case .known(let entry):
            let refusal = ClientJudgement.refusal(for: entry, keyHash: keyHash, nowMilliseconds: wallMilliseconds)
            guard let refusal else { return .accepted(entry) }
            return mayRefuse(id, nowMilliseconds: nowMilliseconds) ? .refused(refusal) : .wait
        case .stale(let entry):
            let refusal = ClientJudgement.refusal(for: entry, keyHash: keyHash, nowMilliseconds: wallMilliseconds)
            return refusal == nil ? .accepted(entry) : .wait
        case .absent:
            return .refused(ClientJudgement.unknownClient)
        case .miss:
            return .wait
        }
    }
}
