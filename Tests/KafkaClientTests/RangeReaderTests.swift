import KafkaClient
import RouterTestSupport
import Testing

/// Drives a range reader, and keeps what came out in its order.
private final class RangeDriver {
    let reader: KafkaRangeReader
    let batch: KafkaRecordBatch
    var offsets: [Int64] = []
    var events: [KafkaRangeEvent] = []

    init(_ cluster: MockKafkaCluster, capacity: Int = 7, _ properties: KafkaProperties = [:]) throws {
        let base: KafkaProperties = [
            "bootstrap.servers": cluster.bootstrapServers, "fetch.wait.max.ms": "20",
            // Within it librdkafka does not believe that a topic is missing; 30 s by default.
            "topic.metadata.propagation.max.ms": "500", "topic.metadata.refresh.interval.ms": "500",
        ]
        reader = try KafkaRangeReader(
            properties: base.merging(properties), wake: try WakeDescriptor(), log: { _, _, _ in })
        batch = KafkaRecordBatch(capacity: capacity)
    }

    /// Reads until the reader is idle, or the condition holds.
    func read(until condition: (RangeDriver) -> Bool = { _ in false }) throws -> Bool {
        let deadline = ContinuousClock.now + patience
        while !reader.isIdle, !condition(self) {
            guard ContinuousClock.now < deadline else { return false }
            reader.wake.drain()
            let new = reader.poll(into: batch)
            offsets += batch.map(\.offset)
            events += new
            if batch.isEmpty && new.isEmpty { reader.wake.wait(timeoutMilliseconds: 20) }
        }
        return true
    }

    func read(_ from: Int64, _ to: Int64, of partition: TopicPartition = first) throws -> Bool {
        offsets.removeAll()
        events.removeAll()
        try reader.start(partition, from: from, to: to)
        return try read()
    }
}

@Suite struct RangeReaderTests {
    @Test func rangesAreReadExactlyOneAfterTheOther() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: 2)
            let producer = try producer(cluster)
            _ = try producer.send(values(0..<30))
            _ = try producer.send(values(0..<5), partition: 1)
            let driver = try RangeDriver(cluster)
            // From the start, in the middle, one record, to the end of the log, the same again, and one of another
            // partition.
            for (from, to) in [(Int64(0), Int64(10)), (10, 20), (3, 4), (25, 30), (25, 30), (0, 30)] {
                #expect(try driver.read(from, to))
                #expect(driver.offsets == Array(from..<to))
                #expect(driver.events == [.finished])
            }
            #expect(try driver.read(1, 5, of: TopicPartition(topic: "events", partition: 1)))
            #expect(driver.offsets == [1, 2, 3, 4])
            #expect(try driver.read(7, 7))
            #expect(driver.offsets.isEmpty)
            #expect(driver.events == [.finished])
        }
    }

    @Test func aRangeBeyondTheLogWaitsForItsRecords() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let producer = try producer(cluster)
            _ = try producer.send(values(0..<3))
            let driver = try RangeDriver(cluster)
            try driver.reader.start(first, from: 1, to: 6)
            #expect(try driver.read { $0.events.contains(.endOfLog(at: 3)) })
            #expect(!driver.reader.isIdle)
            let busy = #expect(throws: KafkaError.self) { try driver.reader.start(first, from: 0, to: 1) }
            #expect(busy?.name == "_STATE")
            _ = try producer.send(values(3..<8))
            #expect(try driver.read())
            #expect(driver.offsets == [1, 2, 3, 4, 5])
            #expect(driver.events.last == .finished)
        }
    }

    @Test func whatLiesBelowTheLogsStartIsAGap() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            // The mock keeps about 5 MB a partition: old batches go.
            let value = String(repeating: "x", count: 400_000)
            _ = try producer(cluster).send(Array(repeating: value, count: 20))
            let queries = try KafkaQueries(
                properties: consumerProperties(cluster, group: "group"), log: { _, _, _ in })
            let (low, high) = try queries.watermarks(first, timeoutMilliseconds: 10_000)
            #expect(low > 2 && high == 20)

            let driver = try RangeDriver(cluster)
            #expect(try driver.read(1, high))
            #expect(driver.events == [.gap(from: 1, to: low), .finished])
            #expect(driver.offsets == Array(low..<high))
            // Gone as a whole.
            #expect(try driver.read(0, low - 1))
            #expect(driver.events == [.gap(from: 0, to: low - 1), .finished])
            #expect(driver.offsets.isEmpty)
            // And nothing is wrong at the very start.
            #expect(try driver.read(low, low + 1))
            #expect(driver.events == [.finished])
            #expect(driver.offsets == [low])
        }
    }

    @Test func aRangeThatCannotBeReadFailsWithAReason() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            _ = try producer(cluster).send(values(0..<3))
            let driver = try RangeDriver(cluster)
            // Above the log's end: the topic was made anew.
            #expect(try driver.read(100, 110))
            guard case .failed(let error) = driver.events.last else {
                Issue.record("\(driver.events)")
                return
            }
            #expect(error.name == "OFFSET_OUT_OF_RANGE")
            #expect(error.message.contains("events/0") && error.message.contains("3"))
            cluster.setTopicError(3, topic: "deleted")
            #expect(try driver.read(0, 1, of: TopicPartition(topic: "deleted", partition: 0)))
            guard case .failed(let missing) = driver.events.last else {
                Issue.record("\(driver.events)")
                return
            }
            #expect(missing.isUnknownTopicOrPartition)
            #expect(throws: KafkaError.self) { try driver.reader.start(first, from: -1, to: 5) }
            // After a failure the reader is as good as new.
            #expect(try driver.read(0, 3))
            #expect(driver.offsets == [0, 1, 2])
        }
    }

    @Test func anOutageIsWaitedOut() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            _ = try producer(cluster).send(values(0..<10))
            let driver = try RangeDriver(cluster, ["reconnect.backoff.max.ms": "200"])
            #expect(try driver.read(0, 2))
            try cluster.setBroker(1, isUp: false)
            driver.offsets.removeAll()
            driver.events.removeAll()
            try driver.reader.start(first, from: 2, to: 9)
            let enough = ContinuousClock.now + .seconds(2)
            #expect(try driver.read { _ in ContinuousClock.now > enough })
            #expect(driver.events.isEmpty && !driver.reader.isIdle)
            try cluster.setBroker(1, isUp: true)
            #expect(try driver.read())
            #expect(driver.offsets == Array(2..<9))
            #expect(driver.events == [.finished])
        }
    }

    @Test func aStoppedRangeLeavesNothingBehind() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            _ = try producer(cluster).send(values(0..<20))
            let driver = try RangeDriver(cluster, capacity: 1)
            try driver.reader.start(first, from: 0, to: 20)
            #expect(try driver.read { $0.offsets.count == 3 })
            driver.reader.stop()
            #expect(driver.reader.isIdle)
            #expect(driver.reader.poll(into: driver.batch).isEmpty && driver.batch.isEmpty)
            #expect(try driver.read(10, 12))
            #expect(driver.offsets == [10, 11])
        }
    }
}
