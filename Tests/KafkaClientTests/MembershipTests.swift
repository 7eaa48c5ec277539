import KafkaClient
import RouterTestSupport
import Testing

@testable import KafkaClient

/// Whether a member is still the one it was, and whether it is joining.
@Suite struct MembershipTests {
    @Test(
        arguments: [
            ("a", 5, true), ("a", 6, true), ("a", 7, false), ("a", 4, false), ("a", -1, false), ("b", 5, false),
            ("b", 6, false), ("", 5, false),
        ] as [(String, Int32, Bool)])
    func continuing(memberID: String, generation: Int32, expected: Bool) {
        let before = KafkaMembership(memberID: "a", generation: 5)
        #expect(KafkaMembership(memberID: memberID, generation: generation).continues(before) == expected)
    }

    @Test func theJoinStateIsReadFromTheLog() throws {
        let watch = JoinWatch(wake: try WakeDescriptor(), handsLinesOn: false)
        func follow(_ from: String, _ to: String) -> Bool {
            watch.follow("Group \"a -> b\" changed join state \(from) -> \(to) (state up)")
            return watch.isJoining
        }
        #expect(!watch.isJoining)
        #expect(follow("steady", "init"))
        #expect(follow("init", "wait-join"))
        #expect(follow("wait-join", "wait-metadata"))
        #expect(follow("wait-metadata", "wait-sync"))
        #expect(!follow("wait-sync", "wait-assign-call"))
        #expect(!follow("wait-assign-call", "steady"))
        #expect(!follow("steady", "wait-unassign-call"))
        watch.follow("something else")
        #expect(!watch.isJoining)
    }

    /// Why nothing is committed while the member joins: the broker looks at the commit when all have joined.
    @Test func aCommitSentWhileJoiningIsOfTheGenerationBefore() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let lines = LogLines()
            let a = try Driver(cluster, log: lines.log)
            #expect(try a.run { $0.owned.count == 2 })
            #expect(!a.consumer.isJoining)
            let b = try Driver(cluster)
            #expect(try runTogether([a, b]) { a.consumer.isJoining })
            let answer = try a.commit(TopicPartition(topic: "events", partition: 0), 0, "v1", ticket: 1)
            #expect(answer??.isMembershipLost == true)
            #expect(try a.run { !$0.consumer.isJoining })
            // The debug lines that tell the state are not for the owner's log.
            #expect(!lines.all.contains { $0.contains("join state") })
        }
    }
}
