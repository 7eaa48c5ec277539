import Foundation
import RouterConfiguration

/// How far a group's committed offsets have moved, over the time that they were looked at. Kafka lists members of a group
/// whose processes are frozen or have lost their way; only what is committed says that work is done.
struct GroupMovement: Sendable {
    /// The last look.
    var positions: [GroupPosition]
    private let first: [Int32: GroupPosition]
    private let began = ContinuousClock.now
    private(set) var seconds = 0.0

    private static let intervalSeconds = 0.3

    init(_ positions: [GroupPosition]) {
        self.positions = positions
        first = Dictionary(positions.map { ($0.partition.partition, $0) }) { _, last in last }
    }

    /// Looks again, at the earliest `seconds` after the first look.
    mutating func lookAgain(after seconds: Double, _ read: () throws -> [GroupPosition]) throws {
        let left = seconds - (ContinuousClock.now - began) / .seconds(1)
        if left > 0 { Thread.sleep(forTimeInterval: left) }
        positions = try read()
        self.seconds = (ContinuousClock.now - began) / .seconds(1)
    }

    /// Looks again and again until `isMoving` holds for every partition that is behind, but for `seconds` at most.
    mutating func watch(
        for seconds: Double, until isMoving: (GroupPosition) -> Bool, _ read: () throws -> [GroupPosition]
    ) throws {
        while self.seconds < seconds,
            positions.contains(where: { $0.lag > 0 && passed($0) == 0 && !isMoving($0) })
        {
            try lookAgain(after: self.seconds + Self.intervalSeconds, read)
        }
    }

    /// Records that the committed offset has passed since the first look. A first commit passes those before it.
    func passed(_ position: GroupPosition) -> Int64 {
        max(0, position.next - (first[position.partition.partition]?.next ?? position.next))
    }

    /// New records since the first look, in all partitions, per second.
    var producedPerSecond: Double { perSecond { $0.high - (first[$0.partition.partition]?.high ?? $0.high) } }
    var deliveredPerSecond: Double { perSecond(passed) }

    private func perSecond(_ count: (GroupPosition) -> Int64) -> Double {
        guard seconds > 0 else { return 0 }
        return max(0, Double(positions.map(count).reduce(0, +))) / seconds
    }
}
