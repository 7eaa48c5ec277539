/// How it goes in one partition, by what was seen and what its router says.
enum PartitionVerdict: String, Sendable, Encodable {
    /// Nothing waits.
    case caughtUp = "caught up"
    /// The committed offset moves, or the router that reads it says that work moves.
    case moving
    /// What waits is younger than a batch may be.
    case young
    case paused
    /// Until a person decides.
    case stopped = "stands still"
    /// Something waits, and nothing is done about it.
    case stalled

    static func judge(
        _ partition: StatusReport.Partition, _ told: MemberStatus.Partition?, isPaused: Bool, _ limits: ProgressLimits
    ) -> PartitionVerdict {
        if partition.stopped != nil || told?.stopped != nil { return .stopped }
        if partition.lag == 0 { return .caughtUp }
        if partition.passed > 0 { return .moving }
        if isPaused { return .paused }
        if let stalledSeconds = told?.stalled_seconds { return limits.isYoung(stalledSeconds) ? .moving : .stalled }
        return limits.isYoung(partition.ageSeconds) ? .young : .stalled
    }
}
