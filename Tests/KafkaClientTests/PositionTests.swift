import KafkaClient
import RouterTestSupport
import Testing

/// Every record once and in order, whatever is done to the position.
@Suite struct PositionTests {
    @Test func pausingAndResumingLosesAndRepeatsNothing() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            #expect(try producer(cluster).send(values(0..<60)).allSatisfy { $0.error == nil })
            let driver = try Driver(cluster)
            #expect(try driver.run { !$0.owned.isEmpty })
            var seen = 0
            let isDone = try driver.run { driver in
                // After each batch, so that there is always progress, and while the next is already under way.
                if driver.records.count > seen {
                    seen = driver.records.count
                    try driver.consumer.pause([first])
                    try driver.consumer.resume([first])
                    // Not paused: nothing may happen.
                    try driver.consumer.resume([first])
                }
                return driver.records.count >= 60
            }
            #expect(isDone)
            #expect(driver.records.map(\.offset) == Array(0..<60))
            #expect(driver.consumer.position(first) == 60)
        }
    }

    @Test func aPausedPartitionIsSilentAndGoesOnWhereItWas() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let producer = try producer(cluster)
            let driver = try Driver(cluster)
            #expect(try driver.run { $0.owned.count == 2 })
            _ = try producer.send(["a", "b"])
            #expect(try driver.run { $0.records.count == 2 })
            try driver.consumer.pause([first])
            try driver.consumer.pause([first])
            _ = try producer.send(["c", "d"])
            _ = try producer.send(["e"], partition: 1)
            #expect(try driver.run { $0.records.contains { $0.partition == 1 } })
            try driver.run(for: .seconds(1))
            #expect(driver.records.map(\.text) == ["a", "b", "e"])
            try driver.consumer.resume([first])
            #expect(try driver.run { $0.records.count == 5 })
            #expect(driver.records.map(\.text) == ["a", "b", "e", "c", "d"])
        }
    }

    @Test func aRebalanceOfOthersRepeatsAndLosesNothing() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let producer = try producer(cluster)
            let a = try Driver(cluster)
            #expect(try a.run { $0.owned.count == 2 })
            let b = try Driver(cluster)
            var sent = 0
            #expect(
                try runTogether([a, b]) {
                    if sent < 3000 {
                        for partition in [Int32(0), 1] {
                            _ = try producer.produce(
                                topic: "events", partition: partition, key: nil, value: Array("\(sent)".utf8), ticket: 0
                            )
                        }
                        _ = producer.poll()
                        sent += 1
                    }
                    return a.owned.count == 1 && b.owned.count == 1
                })
            producer.flush(timeoutMilliseconds: 30_000)
            let kept = try #require(a.owned.first).partition
            #expect(
                try runTogether([a, b]) { a.records.filter { $0.partition == kept }.count >= sent })
            // `b` starts at the beginning, because the test answers every assignment so; `a` keeps its place.
            #expect(a.records.filter { $0.partition == kept }.map(\.offset) == Array(0..<Int64(sent)))
        }
    }

    @Test func seekingReadsFromThere() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            _ = try producer(cluster).send(values(0..<20))
            let driver = try Driver(cluster)
            #expect(try driver.run { $0.records.count == 20 })
            for target in [Int64(0), 7, 19] {
                driver.forgetRecords()
                try driver.consumer.seek(first, to: .at(target))
                #expect(try driver.run { $0.records.last?.offset == 19 })
                #expect(driver.records.map(\.offset) == Array(target..<20))
            }
            #expect(driver.consumer.queries.lastKnownHigh(first) == 20)
        }
    }

    @Test func anOffsetOutsideOfTheLogIsAnEventAndNothingIsSkipped() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            _ = try producer(cluster).send(values(0..<5))
            let driver = try Driver(cluster)
            driver.answersRebalances = false
            #expect(try driver.run { $0.consumer.isRebalancePending })
            let tooEarly = #expect(throws: KafkaError.self) {
                try driver.consumer.restart(first, at: .beginning)
            }
            #expect(tooEarly?.isRetriable == true)
            try driver.consumer.assign([(first, .at(1000))])
            #expect(try driver.run { !$0.partitionErrors.isEmpty })
            #expect(driver.partitionErrors.allSatisfy { $0.isNoValidOffset })
            #expect(driver.records.isEmpty)
            try driver.consumer.restart(first, at: .at(3))
            #expect(try driver.run { $0.records.count == 2 })
            #expect(driver.records.map(\.offset) == [3, 4])
            // A restart takes no part in the group: the member is what it was.
            #expect(try driver.commit(first, 5, "v1", ticket: 1) == .some(nil))
        }
    }

    @Test func aRestartLeavesAPartitionPausedOrNot() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            _ = try producer(cluster).send(values(0..<3))
            let driver = try Driver(cluster)
            #expect(try driver.run { $0.records.count == 3 })
            driver.forgetRecords()
            try driver.consumer.restart(first, at: .beginning)
            #expect(try driver.run { $0.records.count == 3 })
            try driver.consumer.pause([first])
            driver.forgetRecords()
            try driver.consumer.restart(first, at: .at(1))
            try driver.run(for: .seconds(1))
            #expect(driver.records.isEmpty)
            try driver.consumer.resume([first])
            #expect(try driver.run { $0.records.count == 2 })
            #expect(driver.records.map(\.offset) == [1, 2])
        }
    }

    @Test func watermarksAreTheBrokersOwn() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let queries = try KafkaQueries(
                properties: consumerProperties(cluster, group: "group"), log: { _, _, _ in })
            #expect(try queries.watermarks(first, timeoutMilliseconds: 10_000) == (0, 0))
            #expect(queries.lastKnownHigh(first) == nil)
            _ = try producer(cluster).send(values(0..<4))
            #expect(try queries.watermarks(first, timeoutMilliseconds: 10_000) == (0, 4))
            let missing = TopicPartition(topic: "events", partition: 9)
            #expect(throws: KafkaError.self) { try queries.watermarks(missing, timeoutMilliseconds: 2_000) }
        }
    }

    @Test func theEndsOfSeveralLogsAreTheBrokersOwn() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 3)
            let queries = try KafkaQueries(
                properties: consumerProperties(cluster, group: "group"), log: { _, _, _ in })
            let all = (0..<3).map { TopicPartition(topic: "events", partition: Int32($0)) }
            #expect(try queries.ends(all, timeoutMilliseconds: 10_000) == [all[0]: 0, all[1]: 0, all[2]: 0])
            let producer = try producer(cluster)
            _ = try producer.send(values(0..<4))
            _ = try producer.send(values(0..<7), partition: 2)
            #expect(try queries.ends(all, timeoutMilliseconds: 10_000) == [all[0]: 4, all[1]: 0, all[2]: 7])
            #expect(try queries.ends([], timeoutMilliseconds: 0) == [:])
            let missing = TopicPartition(topic: "events", partition: 9)
            #expect(throws: KafkaError.self) { try queries.ends([missing], timeoutMilliseconds: 2_000) }
        }
    }

    @Test func theEndOfALogIsAskedOfItsNewLeader() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster(brokers: 3)
            try cluster.createTopic("events")
            try cluster.setLeader(1, topic: "events", partition: 0)
            _ = try producer(cluster).send(values(0..<4))
            let queries = try KafkaQueries(
                properties: consumerProperties(cluster, group: "group"), log: { _, _, _ in })
            #expect(try queries.ends([first], timeoutMilliseconds: 10_000) == [first: 4])
            try cluster.setLeader(2, topic: "events", partition: 0)
            _ = try producer(cluster).send(values(4..<6))
            // The former leader refuses, which leaves the partition out or fails the question, until the new one is known.
            let deadline = ContinuousClock.now.advanced(by: .seconds(30))
            var found: [TopicPartition: Int64] = [:]
            while found.isEmpty, ContinuousClock.now < deadline {
                found = (try? queries.ends([first], timeoutMilliseconds: 2_000)) ?? [:]
            }
            #expect(found == [first: 6])
        }
    }
}
