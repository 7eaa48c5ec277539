import KafkaClient
import RouterTestSupport
import Testing

/// The group's protocol as the delivery protocol needs it: rebalances answered late, assignments lost, members leaving.
@Suite struct GroupTests {
    @Test func aRebalanceMayBeAnsweredLongAfterItCame() async throws {
        try await onOwnThread {
            // The mock refuses a SyncGroup that comes after the leader's (INVALID_REQUEST), and then goes on to the
            // next generation without those who owe an answer, which no broker does. Such a run proves nothing.
            for _ in 0..<5 where try answersARebalanceLate() { return }
            Issue.record("the mock lost its race five times")
        }
    }

    /// - Returns: false when the mock went on without the member.
    private func answersARebalanceLate() throws -> Bool {
        let cluster = try MockKafkaCluster()
        try cluster.createTopic("events", partitions: 4)
        let a = try Driver(cluster)
        a.answersRebalances = false
        #expect(try a.run { $0.consumer.isRebalancePending })
        // Longer than the session timeout: the member heartbeats by itself, or it would be evicted.
        try a.run(for: .seconds(5))
        #expect(a.revocations.isEmpty)
        try a.answer(.assign(try #require(a.assignments.first)))
        a.answersRebalances = true
        #expect(a.owned.count == 4)
        let generation = try #require(a.consumer.membership).generation

        let b = try Driver(cluster)
        a.answersRebalances = false
        #expect(try runTogether([a, b]) { !a.revocations.isEmpty })
        let revoked = try #require(a.revocations.first)
        #expect(revoked.partitions.count == 2)
        #expect(!revoked.lost)
        #expect(a.consumer.isRebalancePending)
        // A commit of a partition that is being taken goes through while the answer is owed: the delay is there for it.
        for partition in revoked.partitions {
            let answer = try a.commit(partition, 0, "v1 last words", ticket: UInt64(partition.partition))
            guard answer??.isMembershipLost != true, answer??.isRebalanceInProgress != true else { return false }
            #expect(answer == .some(nil))
        }
        let isStillWaiting = ContinuousClock.now + .seconds(5)
        _ = try runTogether([a, b]) { ContinuousClock.now > isStillWaiting }
        #expect(b.owned.isEmpty)
        #expect(a.revocations.count == 1)

        a.answersRebalances = true
        try a.answer(.revoke(revoked.partitions, lost: false))
        #expect(try runTogether([a, b]) { a.owned.count == 2 && b.owned.count == 2 })
        #expect(a.owned.isDisjoint(with: b.owned))
        #expect(b.owned == Set(revoked.partitions))
        #expect(try #require(a.consumer.membership).generation > generation)
        let committed = try b.consumer.queries.committed(revoked.partitions, timeoutMilliseconds: 10_000)
        #expect(committed.allSatisfy { $0.metadata == "v1 last words" })
        return true
    }

    @Test(arguments: [Int32(25), 22])
    func aMemberThatMissedAGenerationLosesEverything(code: Int32) async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let driver = try Driver(cluster)
            #expect(try driver.run { $0.owned.count == 2 })
            let before = try #require(driver.consumer.membership)
            driver.answersRebalances = false
            cluster.pushErrors([code], for: .heartbeat)
            #expect(try driver.run { !$0.revocations.isEmpty })
            #expect(driver.revocations.first?.lost == true)
            #expect(Set(driver.revocations.first?.partitions ?? []) == driver.owned)
            #expect(driver.consumer.isAssignmentLost)

            driver.answersRebalances = true
            try driver.answer(.revoke(Array(driver.owned), lost: true))
            #expect(driver.owned.isEmpty)
            #expect(try driver.run { $0.owned.count == 2 })
            #expect(!driver.consumer.isAssignmentLost)
            let after = try #require(driver.consumer.membership)
            #expect(after != before)
            #expect(after.generation > before.generation)
        }
    }

    /// The trap that `membership` is there for: a missed generation while a rebalance waits for its answer revokes
    /// nothing.
    @Test func aGenerationMissedDuringARebalanceShowsInTheMembershipOnly() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 4)
            let a = try Driver(cluster)
            #expect(try a.run { $0.owned.count == 4 })
            a.answersRebalances = false
            let b = try Driver(cluster)
            #expect(try runTogether([a, b]) { !a.revocations.isEmpty })
            let before = try #require(a.consumer.membership)
            cluster.pushErrors([25], for: .heartbeat)
            let enough = ContinuousClock.now + .seconds(1)
            _ = try runTogether([a, b]) {
                ContinuousClock.now > enough && a.consumer.membership?.memberID.isEmpty == true
            }
            #expect(!a.consumer.isAssignmentLost)
            a.answersRebalances = true
            try a.answer(.revoke(try #require(a.revocations.first).partitions, lost: false))
            #expect(try runTogether([a, b]) { a.owned.count == 2 && b.owned.count == 2 })
            #expect(a.revocations.allSatisfy { !$0.lost })
            #expect(try #require(a.consumer.membership).memberID != before.memberID)
        }
    }

    @Test func closingLeavesTheGroupAtOnce() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let lines = LogLines()
            let a = try Driver(cluster, ["debug": "cgrp"], log: lines.log)
            let b = try Driver(cluster)
            #expect(try runTogether([a, b]) { a.owned.count == 1 && b.owned.count == 1 })
            #expect(a.consumer.close(timeoutMilliseconds: 20_000))
            #expect(a.consumer.close(timeoutMilliseconds: 0))
            #expect(a.consumer.poll(into: a.batch) == 0)
            #expect(lines.all.contains { $0.contains(" LEAVE ") })
            #expect(try b.run { $0.owned.count == 2 })
        }
    }

    @Test func closingAnswersARebalanceThatNobodyAnswered() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let driver = try Driver(cluster)
            driver.answersRebalances = false
            #expect(try driver.run { $0.consumer.isRebalancePending })
            #expect(driver.consumer.close(timeoutMilliseconds: 20_000))

            let lost = try Driver(cluster)
            #expect(try lost.run { $0.owned.count == 2 })
            lost.answersRebalances = false
            cluster.pushErrors([25], for: .heartbeat)
            #expect(try lost.run { !$0.revocations.isEmpty })
            #expect(lost.consumer.close(timeoutMilliseconds: 20_000))
        }
    }

    /// librdkafka ends the whole process here when such a handle is destroyed.
    @Test func closingBetweenJoiningAndTheFirstAssignmentIsHarmless() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            for _ in 0..<2 {
                let lines = LogLines()
                let driver = try Driver(cluster, ["debug": "cgrp"], log: lines.log)
                // Joined, and the answer with the assignment held back.
                cluster.pushErrors(Array(repeating: 14, count: 100), for: .syncGroup)
                #expect(try driver.run { _ in lines.all.contains { $0.contains("JoinGroup response: GenerationId") } })
                #expect(driver.assignments.isEmpty)
                _ = driver.consumer.close(timeoutMilliseconds: 10_000)
                cluster.clearErrors(for: .syncGroup)
            }
        }
    }

    @Test func closingNeverBlocksForEver() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let unsubscribed = try Driver(cluster, topics: [])
            #expect(unsubscribed.consumer.close(timeoutMilliseconds: 20_000))

            let driver = try Driver(cluster)
            #expect(try driver.run { !$0.owned.isEmpty })
            try driver.consumer.commit([(first, 0, "never answered")], ticket: 1)
            try cluster.setBroker(1, isUp: false)
            let start = ContinuousClock.now
            _ = driver.consumer.close(timeoutMilliseconds: 500)
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test func pausedOrNotAMemberThatStopsPollingIsPutOut() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let driver = try Driver(cluster, ["max.poll.interval.ms": "4000"])
            #expect(try driver.run { !$0.owned.isEmpty })
            try driver.consumer.pause([first])
            try driver.run(for: .seconds(5))
            #expect(driver.revocations.isEmpty)
            // The one thing to wait for is the interval itself: nothing else may be called in the meantime.
            let deadline = ContinuousClock.now + .seconds(6)
            while ContinuousClock.now < deadline { driver.consumer.wake.wait(timeoutMilliseconds: 100) }
            #expect(try driver.run { !$0.revocations.isEmpty })
            #expect(driver.revocations.first?.lost == true)
            let names = driver.events.compactMap { if case .error(let error) = $0 { error.name } else { nil } }
            #expect(names.contains("_MAX_POLL_EXCEEDED"))
            #expect(try driver.run { $0.assignments.count == 2 })
        }
    }

    @Test func aTopicThatDoesNotExistIsAnEvent() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            cluster.setTopicError(3, topic: "events")
            let driver = try Driver(cluster)
            var found: [KafkaError] = []
            #expect(
                try driver.run { driver in
                    for event in driver.events {
                        switch event {
                        case .error(let error), .partitionError(_, let error): found.append(error)
                        default: break
                        }
                    }
                    return found.contains { $0.isUnknownTopicOrPartition }
                })
            #expect(found.contains { $0.message.contains("events") })
        }
    }
}
