import KafkaClient
import RouterCore

/// Where this member stands in its group: what it was given, what it is asked to give up, and the questions under way.
struct Membership {
    /// Every partition that librdkafka has been told we take.
    var assigned: Set<Int32> = []
    /// Assigned, and standing still until a person decides: why.
    var stopped: [Int32: String] = [:]
    var nextLookAtStoppedMilliseconds: Int64 = 0
    var hasJoined = false

    /// The assignment that waits for its committed offsets.
    var assigning: [Int32]?
    /// The revocation that waits for its partitions to be finished.
    var revoking: (all: [Int32], waiting: Set<Int32>)?
    /// Partitions to be started over from their committed state, and when.
    var startingOver: Set<Int32> = []
    var startOverAtMilliseconds: Int64?

    /// Number of the question about starts that is under way; an answer with another number is of an earlier time.
    var startRequest: UInt64 = 0
    var startRequestPartitions: [Int32] = []
    var isStartRequestOpen = false
    var askAgainAtMilliseconds: Int64?

    /// Commits under way.
    var commits: [UInt64: (partition: Int32, state: PartitionState)] = [:]
    /// Batches whose seal was logged.
    var announced: Set<UUID128> = []

    var nextDeadlineMilliseconds: Int64? {
        [startOverAtMilliseconds, askAgainAtMilliseconds].compactMap { $0 }.min()
    }
}
