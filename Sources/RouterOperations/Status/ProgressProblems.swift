/// What does not move, in sentences for a person who was woken at night: which partitions, since when, waiting for what,
/// and what to type.
struct ProgressProblems {
    let report: StatusReport
    let routers: [AskedRouter]
    let told: [Int32: MemberStatus.Partition]
    let limits: ProgressLimits

    /// Each needs a person.
    var sentences: [String] {
        var found = paused
        let waiting = report.partitions.filter { $0.lag > 0 && ![.paused, .stopped].contains($0.verdict) }
        if report.members.isEmpty, !waiting.isEmpty, !waiting.contains(where: { $0.verdict == .moving }) {
            return found + [nobodyReads(waiting)]
        }
        let stalled = Dictionary(grouping: waiting.filter { $0.verdict == .stalled }) {
            told[$0.partition] == nil ? Cause.unanswered : .told($0.waitingFor)
        }
        for (cause, partitions) in stalled.sorted(by: { $0.value[0].partition < $1.value[0].partition }) {
            found.append(sentence(cause, partitions))
        }
        if stalled.isEmpty, report.lag ?? 0 > 0, paused.isEmpty,
            let router = routers.first(where: { $0.status?.stalled == true })
        {
            found.append("the router at \(router.url) says that work stands still: router doctor says why")
        }
        return found
    }

    private enum Cause: Hashable {
        case told(String?)
        /// No router that answered holds the partition.
        case unanswered
    }

    /// What could not be asked, while there is something to do: that is not well, whatever the rest looks like.
    var unknown: [String] {
        guard !report.members.isEmpty, report.lag ?? 0 > 0 else { return [] }
        var found: [String] = []
        // What waits for no longer than a batch may need no member's word.
        let unseen = report.partitions.filter {
            $0.verdict == .moving && told[$0.partition] == nil && !limits.isYoung($0.ageSeconds)
        }
        if !unseen.isEmpty {
            let passed = unseen.reduce(Int64(0)) { $0 + $1.passed }
            found.append(
                "\(Self.name(unseen)) move\(unseen.count == 1 ? "s" : "") (\(passed.grouped) records in \(looked)), but the "
                    + "router that reads \(unseen.count == 1 ? "it" : "them") could not be asked: \(unanswered); name each "
                    + "member with --url")
        }
        for router in routers where found.isEmpty {
            guard case .none(let error, let isTimeout) = router.answer, isTimeout,
                !report.partitions.contains(where: { $0.verdict == .stalled && told[$0.partition] == nil })
            else { continue }
            found.append(
                "the router at \(router.url) does not say how it goes (\(error)) while \((report.lag ?? 0).grouped) records "
                    + "wait: see that its process is not stopped or frozen, then ask again")
        }
        return found
    }

    // MARK: - Sentences

    private var paused: [String] {
        report.partitions.filter { $0.verdict == .paused }.map { partition in
            let pause = report.pauses.first { $0.partition == partition.partition }
            return
                "partition \(partition.partition) is paused since \(pause?.at.prefix(19) ?? "?") by \(pause?.by ?? "?") "
                + "(\(pause?.reason ?? "")), and \(Self.waiting([partition])): router resume --partition "
                + "\(partition.partition) ends it"
        }
    }

    private func nobodyReads(_ partitions: [StatusReport.Partition]) -> String {
        let text = "\(Self.waiting(partitions)), and no router reads them: "
        guard let router = report.routers.first else { return text + "start router run" }
        return text + "the router at \(router.url) is \(router.phase) and no member of the group; "
            + "\(router.url)/readyz says what it lacks"
    }

    private func sentence(_ cause: Cause, _ partitions: [StatusReport.Partition]) -> String {
        let numbers = partitions.map(\.partition)
        let subject = Self.name(partitions) + (partitions.count == 1 ? " does" : " do") + " not move"
        let rest = Self.waiting(partitions)
        switch cause {
        case .told(let waitingFor):
            let since = partitions.compactMap(\.lastMovedAt).min().map { " since \($0)" } ?? ""
            let seconds = partitions.compactMap(\.stalledSeconds).max().map { Int64($0) }
            let duration = seconds.map { " (\(StatusReport.duration($0)))" } ?? " (looked at for \(looked))"
            let wait = waitingFor.map { "waiting for \($0)" } ?? "the router does not say what it waits for"
            return "\(subject)\(since)\(duration), \(wait); \(rest): "
                + WaitingAdvice.advice(waitingFor, partitions: numbers)
        case .unanswered:
            let advice =
                moves(ownersOf: numbers)
                ? "it moves other partitions, so its process lives: router doctor says how the servers are; where it listens "
                    + "elsewhere, --url asks it what these wait for"
                : "see whether its process lives or is stopped or frozen, and restart it; where it listens elsewhere, name "
                    + "it with --url"
            return "\(subject): nothing was committed in the \(looked) that were looked at, and \(rest). "
                + "\(membersText(numbers)), but \(unanswered): \(advice)"
        }
    }

    /// Whether a member that holds one of these partitions moves another.
    private func moves(ownersOf partitions: [Int32]) -> Bool {
        let moving = Set(report.partitions.filter { $0.passed > 0 }.map(\.partition))
        return report.members.contains {
            !Set($0.partitions).isDisjoint(with: partitions) && !moving.isDisjoint(with: $0.partitions)
        }
    }

    private func membersText(_ partitions: [Int32]) -> String {
        let owners = report.members.filter { !Set($0.partitions).isDisjoint(with: partitions) }
        let words = (owners.isEmpty ? report.members : owners).prefix(3).map { "\($0.id) at \($0.host)" }
        return "Kafka lists the member \(words.joined(separator: " and "))"
    }

    private var unanswered: String {
        let words = report.unanswered.map { "\($0.url) (\($0.error))" }
        return words.isEmpty
            ? "no router that was asked holds it" : "no router answers at \(words.joined(separator: ", "))"
    }

    private var looked: String { "\(Int(((report.lookedSeconds ?? 0) + 0.5).rounded(.down))) s" }

    private static func waiting(_ partitions: [StatusReport.Partition]) -> String {
        let count = partitions.reduce(Int64(0)) { $0 + $1.lag }
        let oldest = partitions.compactMap(\.ageSeconds).max()
        return "\(count.grouped) record\(count == 1 ? " waits" : "s wait")"
            + (oldest.map { ", the oldest for \(StatusReport.duration(Int64($0)))" } ?? "")
    }

    private static func name(_ partitions: [StatusReport.Partition]) -> String {
        let numbers = partitions.map { "\($0.partition)" }
        return (numbers.count == 1 ? "partition " : "partitions ") + Findings.some(numbers, limit: 8)
    }
}
