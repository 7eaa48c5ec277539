import KafkaClient
import RouterCore

/// Where this member stands in its group: what it was given, what it is asked to give up, and the questions under way.
struct Membership {
    /// Every partition that librdkafka has been told we take.
    var assigned: Set<Int32> = []
    /// Assigned, and standing still until a person decides: why.
    var stopped: [Int32: String] = [:]
    var nextLookAtStoppedMilliseconds: Int64 = 0
    /// Offsets of what we own that retention took. Who starts on a partition and who reads its batches again meet the same
    /// gap, and it is one loss.
    var lost: [Int32: RangeSet<Int64>] = [:]
    var hasJoined = false

    /// The assignment that waits for its committed offsets.
    var assigning: [Int32]?
    /// The revocation that waits for its partitions to be finished.
    var revoking: (all: [Int32], waiting: Set<Int32>)?
    /// The member as its group knew it when it was last looked at and in order; nil outside of a group.
    private(set) var known: KafkaMembership?
    var nextLookMilliseconds: Int64 = 0
    /// A generation was missed: what librdkafka still counts as ours is given up, and the group joined anew.
    var isRejoining = false
    /// When to leave the group, unless librdkafka has revoked everything as lost by then.
    var leaveAtMilliseconds: Int64?
    /// It was left; when the revocation that follows is overdue.
    var leftUntilMilliseconds: Int64?

    /// Partitions to be started over from their committed state, and when.
    var startingOver: Set<Int32> = []
    var startOverAtMilliseconds: Int64?

    /// Number of the question about starts that is under way; an answer with another number is of an earlier time.
    var startRequest: UInt64 = 0
    var startRequestPartitions: [Int32] = []
    var isStartRequestOpen = false
    var askAgainAtMilliseconds: Int64?

    /// Commits that wait until the member has joined: one for each partition at most.
    var heldCommits: [(partition: Int32, state: PartitionState, ticket: UInt64)] = []
    /// Commits under way.
    var commits: [UInt64: (partition: Int32, state: PartitionState)] = [:]
    /// Batches whose seal was logged.
    var announced: Set<UUID128> = []

    /// Partitions are being given out anew, or it is being learnt where they start.
    var isUnsettled: Bool {
        assigning != nil || revoking != nil || isRejoining || isStartRequestOpen || askAgainAtMilliseconds != nil
    }

    var nextDeadlineMilliseconds: Int64? {
        [
            startOverAtMilliseconds, askAgainAtMilliseconds, leaveAtMilliseconds, leftUntilMilliseconds,
        ].compactMap { $0 }.min()
    }

    /// Compares the member with what it was at the last look.
    /// - Returns: false when a generation was missed.
    mutating func look(_ now: KafkaMembership?) -> Bool {
        // A form of librdkafka's that is not known here: nothing can be told.
        guard let now else { return true }
        guard let before = known else {
            if now.isMember { known = now }
            return true
        }
        guard now.continues(before) else { return false }
        known = now
        return true
    }

    /// Everything was given up: whoever the group knows next is a new member.
    mutating func forgetMember() {
        known = nil
    }

    /// Puts a question about partitions to be started over aside, for another one or a revocation comes first.
    mutating func shelveRestart(without revoked: [Int32], untilMilliseconds: Int64) {
        let isRestart = assigning == nil && (isStartRequestOpen || askAgainAtMilliseconds != nil)
        isStartRequestOpen = false
        askAgainAtMilliseconds = nil
        // An answer that is still on its way is not for what is asked next.
        startRequest += 1
        guard isRestart else { return }
        let left = assigned.intersection(startRequestPartitions).subtracting(revoked)
        guard !left.isEmpty else { return }
        startingOver.formUnion(left)
        startOverAtMilliseconds = untilMilliseconds
    }
}
