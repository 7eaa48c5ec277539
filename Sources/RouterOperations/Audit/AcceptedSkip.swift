import OffsetStore
import RouterCore

/// Offsets that a person accepted to skip (`router offsets accept`): neither a row nor a dead letter is asked of them.
struct AcceptedSkip: Equatable, Sendable {
    var partition: Int32
    var offsets: Range<Int64>
    var acceptedBy: String
    var acceptedAtMilliseconds: Int64
    var reason: String
    /// How many of them turned out to be nowhere.
    var count = 0

    /// - Parameter entries: in the order in which they were accepted. Only what a router took counts, and a later
    ///   acceptance takes back what it reads again: also where the topic was made anew, and the offsets are others.
    static func all(_ entries: [OffsetRepository.Entry]) -> [AcceptedSkip] {
        let taken = entries.filter { $0.takenAtMilliseconds != nil }
        return taken.enumerated().compactMap { index, entry in
            let one = entry.acceptance
            let later = taken[(index + 1)...].filter { $0.acceptance.partition == one.partition }
            let end = later.reduce(one.offset) { min($0, $1.acceptance.offset) }
            guard one.skippedFrom < end else { return nil }
            return AcceptedSkip(
                partition: one.partition, offsets: one.skippedFrom..<end, acceptedBy: one.acceptedBy,
                acceptedAtMilliseconds: entry.acceptedAtMilliseconds, reason: one.reason)
        }
    }

    func note(topic: String) -> String {
        let when = TimeText.rfc3339(milliseconds: acceptedAtMilliseconds).map { " \($0)" } ?? ""
        return
            "\(topic)/\(partition): \(count.grouped) of the offsets \(offsets.lowerBound) to \(offsets.upperBound - 1) were "
            + "given up, accepted by \(acceptedBy)\(when) because: \(reason)"
    }
}
