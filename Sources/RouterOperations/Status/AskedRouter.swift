import RouterConfiguration

/// What became of the question to one router.
struct AskedRouter: Sendable {
    enum Answer: Sendable {
        case status(MemberStatus)
        /// It is of another group, and not this status' subject.
        case otherGroup(String)
        case none(error: String, isTimeout: Bool)
    }

    var url: String
    var answer: Answer

    var status: MemberStatus? {
        if case .status(let status) = answer { return status }
        return nil
    }

    /// Blocks for as long as the question may take.
    static func ask(_ url: String, group: String) -> AskedRouter {
        do {
            let status = try MemberStatus.read(url)
            guard status.group_id == group else {
                return AskedRouter(url: url, answer: .otherGroup(status.group_id ?? "?"))
            }
            return AskedRouter(url: url, answer: .status(status))
        } catch {
            let isTimeout = (error as? StatusProbe.Failure)?.isTimeout ?? false
            return AskedRouter(url: url, answer: .none(error: TextTable.oneLine("\(error)"), isTimeout: isTimeout))
        }
    }

    /// What the routers that answered say of each partition that they hold.
    static func partitions(_ routers: [AskedRouter]) -> [Int32: MemberStatus.Partition] {
        Dictionary(
            routers.flatMap { $0.status?.partitions ?? [] }.map { ($0.partition, $0) }
        ) { $0.stalled_seconds ?? 0 > $1.stalled_seconds ?? 0 ? $0 : $1 }
    }
}
