/// One thing that `router doctor` looked at.
public struct DoctorCheck: Sendable, Encodable, Equatable {
    public enum Outcome: String, Sendable, Encodable, CaseIterable {
        case ok
        /// It works, and a person should know.
        case warning
        /// A person has to do something.
        case fault
        /// It could not be looked at.
        case unknown
    }

    /// What it is about, such as `kafka.retention`: stable, for scripts.
    public var name: String
    public var outcome: Outcome
    /// What was found, as a sentence for a person, with no secret in it.
    public var detail: String
    /// What to do; nil when nothing is to be done.
    public var advice: String?
}

/// What `router doctor` prints.
public struct DoctorReport: Sendable, Encodable {
    public enum Verdict: String, Sendable, Encodable {
        /// Every check is ok or a warning.
        case well
        /// At least one fault, and everything was looked at.
        case faults
        /// Something could not be looked at.
        case incomplete
    }

    public var verdict: Verdict
    /// How many checks had each outcome.
    public var counts: [String: Int]
    /// By area, and within it in the order in which they were made.
    public var checks: [DoctorCheck]

    init(_ checks: [DoctorCheck]) {
        let areas = ["settings", "postgres", "clients", "kafka", "clickhouse", "redis", "router"]
        func rank(_ check: DoctorCheck) -> Int {
            areas.firstIndex { check.name.hasPrefix($0 + ".") } ?? areas.count
        }
        self.checks = checks.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }
            .map(\.element)
        counts = Dictionary(
            uniqueKeysWithValues: DoctorCheck.Outcome.allCases.map { outcome in
                (outcome.rawValue, checks.count { $0.outcome == outcome })
            })
        verdict =
            counts["unknown", default: 0] > 0 ? .incomplete : counts["fault", default: 0] > 0 ? .faults : .well
    }

    public var summary: String {
        let numbers = ["ok", "warning", "fault", "unknown"].map { "\(counts[$0, default: 0]) \($0)" }
        let words =
            switch verdict {
            case .well: "All is well."
            case .faults: "Something needs a person."
            case .incomplete: "Not everything could be looked at."
            }
        return words + " " + numbers.joined(separator: ", ")
    }
}
