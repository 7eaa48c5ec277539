import KafkaClient
import Logging
import RouterCore

// A generation of the group that this member missed: how it is noticed, and what follows.
//
// librdkafka usually finds out by itself and revokes everything as lost. It does not (2.0.2) where a rebalance waits for
// our answer, or where the group's answer to a join is that it does not know the member: then it joins again and still
// claims what it had. Meanwhile another member may have had those partitions, so their batches and positions here are
// void, and a commit of them under the new generation would be taken and would undo the other member's.
extension Pipeline {
    /// Looks whether the group has gone on without this member. It is asked before every commit, at every rebalance,
    /// and from time to time, so that no generation is passed over unseen.
    func isStillMember() -> Bool {
        if membership.look(consumer.membership) { return true }
        guard membership.assigned.isEmpty, membership.revoking == nil else { return false }
        // Nothing was held, so nothing is void: a new member begins.
        membership.forgetMember()
        return membership.look(consumer.membership)
    }

    /// Drops everything, and leaves the group in order to claim nothing when it joins again.
    func missGeneration() {
        guard !membership.isRejoining else { return }
        membership.isRejoining = true
        membership.leaveAtMilliseconds = monotonic + PipelineLimits.startOverMilliseconds
        membership.startingOver = []
        membership.startOverAtMilliseconds = nil
        let held = membership.assigned.union(membership.revoking?.all ?? []).sorted()
        reportMissedGeneration(held)
        for partition in held { intakes[partition] = nil }
        pause(held)
        if membership.assigning != nil { takeWithoutStarting() }
        // This answers a revocation that waits, too.
        perform(delivery.handle(.lost(partitions: held), nowMilliseconds: monotonic))
    }

    /// The one line for it. Whether it is noticed here, by a look or by a refused commit, or by librdkafka, which revokes
    /// everything as lost: which of them is first is chance (a refused commit's answer and the revocation that follows
    /// from it come by two queues), and what follows is the same.
    func reportMissedGeneration(_ held: [Int32]) {
        log.error(
            "this member missed a generation of its group: nothing it held is valid",
            metadata: ["partitions": "\(held)"])
    }

    /// Answers an assignment: what comes is about to be given back, and none of it is read.
    func takeWithoutStarting() {
        guard let partitions = membership.assigning else { return }
        membership.assigning = nil
        do {
            try consumer.assign(partitions.map { (TopicPartition(topic: topic, partition: $0), .end) })
        } catch {
            log.error("cannot answer an assignment", metadata: ["error": "\(error)"])
        }
        membership.assigned.formUnion(partitions)
        pause(partitions)
    }

    /// The last partition was given back.
    func gaveEverythingUp() {
        membership.forgetMember()
        guard membership.isRejoining else { return }
        membership.isRejoining = false
        membership.leaveAtMilliseconds = nil
        guard membership.leftUntilMilliseconds != nil else { return }
        membership.leftUntilMilliseconds = nil
        do {
            try consumer.subscribe([topic])
        } catch {
            fatalError = ServiceError("cannot join the group again: \(error)")
        }
    }

    func tendGeneration() {
        if let until = membership.leftUntilMilliseconds, until <= monotonic {
            fatalError = ServiceError("the group was left, but Kafka's client does not give the partitions back")
        }
        if let at = membership.leaveAtMilliseconds, at <= monotonic {
            membership.leaveAtMilliseconds = nil
            leaveGroup()
        }
        guard membership.hasJoined, !membership.isRejoining, monotonic >= membership.nextLookMilliseconds else {
            return
        }
        membership.nextLookMilliseconds = monotonic + PipelineLimits.membershipLookMilliseconds
        if !isStillMember() { missGeneration() }
    }

    private func leaveGroup() {
        guard !membership.assigned.isEmpty else { return gaveEverythingUp() }
        log.notice("leaving the group to join it anew", metadata: ["partitions": "\(membership.assigned.sorted())"])
        do {
            try consumer.unsubscribe()
            membership.leftUntilMilliseconds = monotonic + PipelineLimits.leaveMilliseconds
        } catch {
            fatalError = ServiceError("cannot leave the group after a missed generation: \(error)")
        }
    }
}
