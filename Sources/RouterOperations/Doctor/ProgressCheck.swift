import KafkaClient
import RouterConfiguration
import RouterDatabase

/// Whether the group's committed offsets move where something waits. A member that Kafka lists proves nothing: its process
/// may be frozen.
struct ProgressCheck {
    let settings: Settings
    let findings: Findings
    let known: KnownClients?

    /// The area has its own limit, and other checks come before and after.
    private static let mostLookSeconds = 10.0

    /// - Parameters:
    ///   - movement: begun with the first look at the positions.
    ///   - oldest: timestamps of the first records that are not delivered, where they are known.
    func run(_ movement: GroupMovement, oldest: [Int32: Int64], _ queries: KafkaQueries) throws {
        let limits = ProgressLimits(settings: settings)
        let now = WallClock.milliseconds()
        let ages = oldest.mapValues { Double(now - $0) / 1000 }
        let paused = known?.pauses.partitions ?? [:]
        var movement = movement
        func isWell(_ position: GroupPosition) -> Bool {
            let partition = position.partition.partition
            return position.lag == 0 || position.stopReason != nil || paused[partition] != nil
                || limits.isYoung(ages[partition])
        }
        let waiting = movement.positions.filter { $0.lag > 0 && $0.stopReason == nil }
        guard !waiting.isEmpty else { return findings.ok("kafka.progress", "nothing waits that could be delivered") }
        let members =
            try queries.group(
                settings.kafka.groupID, timeoutMilliseconds: Doctor.questionMilliseconds)?.members ?? []
        if !members.isEmpty {
            let partitions = movement.positions.map(\.partition)
            try movement.watch(for: min(limits.lookSeconds, Self.mostLookSeconds), until: isWell) {
                try GroupPosition.read(
                    partitions, progress: known?.progress ?? PartitionProgress(), queries,
                    timeoutMilliseconds: Doctor.questionMilliseconds)
            }
        }
        let stalled = movement.positions.filter { movement.passed($0) == 0 && !isWell($0) }
        let held = movement.positions.filter { $0.lag > 0 && paused[$0.partition.partition] != nil }
        if !stalled.isEmpty {
            report(stalled, ages, members.map { "\($0.id) at \($0.host)" }, movement.seconds)
        } else if !held.isEmpty {
            findings.warning(
                "kafka.progress", "\(Self.words(held, ages)) in what an operator has paused: \(Self.names(held))",
                "router resume " + held.map { "--partition \($0.partition.partition)" }.joined(separator: " "))
        } else {
            findings.ok("kafka.progress", "committed offsets move, or what waits came just now")
        }
    }

    private func report(
        _ stalled: [GroupPosition], _ ages: [Int32: Double], _ members: [String], _ seconds: Double
    ) {
        let what = "\(Self.words(stalled, ages)) in \(Self.names(stalled))"
        if members.isEmpty {
            findings.fault(
                "kafka.progress", "\(what), and the group '\(settings.kafka.groupID)' has no members",
                "start router run")
        } else {
            findings.fault(
                "kafka.progress",
                "\(what), and nothing was committed in \(Int(seconds.rounded(.up))) seconds, though Kafka lists the member "
                    + Findings.some(members, limit: 2),
                "router status says what it waits for; where it does not answer, see whether its process is stopped or "
                    + "frozen, and restart it")
        }
    }

    private static func words(_ positions: [GroupPosition], _ ages: [Int32: Double]) -> String {
        let count = positions.reduce(Int64(0)) { $0 + $1.lag }
        let oldest = positions.compactMap { ages[$0.partition.partition] }.max()
        return "\(count.grouped) record\(count == 1 ? " waits" : "s wait")"
            + (oldest.map { ", the oldest for \(StatusReport.duration(Int64(max(0, $0))))," } ?? "")
    }

    private static func names(_ positions: [GroupPosition]) -> String {
        let numbers = positions.map { "\($0.partition.partition)" }
        return (numbers.count == 1 ? "partition " : "partitions ") + Findings.some(numbers, limit: 8)
    }
}
