/// What a partition waits for: whatever can stand still can say so. The raw values are shown to people and to scripts.
public enum WaitReason: String, Sendable, CaseIterable {
    /// It stands still until an offset is accepted (`router offsets`).
    case person = "a person"
    case operatorPause = "paused by an operator"
    /// The group gives out partitions anew, or it is being learnt where to start.
    case rebalance = "rebalance"
    /// Records are there, and the broker does not hand them over.
    case kafka = "kafka"
    /// A record's client is not known yet: neither Redis nor Postgres has answered.
    case clientDirectory = "client directory"
    case memory = "memory"
    /// Kafka has not acknowledged the state that a batch's intent, or its end, is written in.
    case commit = "commit"
    /// Kafka has not acknowledged dead letters.
    case deadLetters = "dead letters"
    /// Records are read from Kafka a second time.
    case reread = "records to be read again"
    /// An insert of an earlier life may be under way.
    case earlierInserts = "inserts of an earlier life"
    /// An insert or a question is under way there, or it is to blame.
    case clickHouse = "clickhouse"
    /// One client's destination fails.
    case destination = "a client's destination"
}

extension Delivery {
    /// What the oldest batch of the partition waits for; nil when everything sealed is delivered and committed.
    public func waitReason(_ partition: Int32) -> WaitReason? {
        guard let chain = partitions[partition] else { return nil }
        let oldest = chain.chain.lazy.compactMap { batches[$0] }.first { $0.stage != .complete }
        guard let oldest else { return isIdle(partition) ? nil : .commit }
        switch oldest.stage {
        case .sealing, .complete: return .commit
        case .quieting: return health.isToBlame ? .clickHouse : .earlierInserts
        case .reading: return .reread
        case .deadLetters: return .deadLetters
        case .blocks: return waitReason(of: oldest)
        }
    }

    private func waitReason(of batch: OutstandingBatch) -> WaitReason {
        if health.isToBlame { return .clickHouse }
        if batch.blocks.values.contains(where: { $0.isFailing }) { return .destination }
        if batch.blocks.values.allSatisfy({ !$0.refusals.isEmpty }) { return .deadLetters }
        return .clickHouse
    }

    /// Counts what has happened to the partition's batches: it stands still while this does.
    public func movements(_ partition: Int32) -> Int { partitions[partition]?.movements ?? 0 }
}
