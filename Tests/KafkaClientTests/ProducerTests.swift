import KafkaClient
import RouterTestSupport
import Testing

@Suite struct ProducerTests {
    @Test func everythingOfARecordComesBackAsItWasSent() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let producer = try producer(cluster)
            let headers = [
                KafkaHeader("client_id", "a"), KafkaHeader("empty", ""), KafkaHeader("null", nil),
                KafkaHeader("client_id", "again"), KafkaHeader(name: [0xC3, 0x28], value: [0, 1, 255]),
            ]
            let sent: [(key: [UInt8]?, value: [UInt8]?, headers: [KafkaHeader])] = [
                ([1, 0, 2], Array("{}".utf8), headers), (nil, nil, []), ([], [], []), (nil, [0], [KafkaHeader("", "")]),
            ]
            for (index, record) in sent.enumerated() {
                try producer.produce(
                    topic: "events", partition: 0, key: record.key, value: record.value, headers: record.headers,
                    timestampMilliseconds: 1_700_000_000_123 + Int64(index), ticket: UInt64.max - UInt64(index))
            }
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            let reports = producer.poll()
            #expect(reports.map(\.ticket) == [UInt64.max, UInt64.max - 1, UInt64.max - 2, UInt64.max - 3])
            #expect(reports.allSatisfy { $0.error == nil })

            let driver = try Driver(cluster)
            #expect(try driver.run { $0.records.count == sent.count }, "\(driver.records) \(driver.events)")
            for (index, record) in driver.records.enumerated() {
                #expect(record.offset == Int64(index))
                #expect(record.key == sent[index].key)
                #expect(record.value == sent[index].value)
                #expect(record.headers == sent[index].headers)
                #expect(record.timestampMilliseconds == 1_700_000_000_123 + Int64(index))
            }
        }
    }

    @Test func retriesNeitherLoseNorRepeatNorReorder() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let producer = try producer(cluster, ["retry.backoff.ms": "20", "batch.num.messages": "5"])
            // REQUEST_TIMED_OUT, NOT_LEADER, NOT_ENOUGH_REPLICAS and so on, each for one request of the fifty or so.
            cluster.pushErrors([7, 6, 19, 20, 7, 5, 7], for: .produce)
            for index in 0..<250 {
                try producer.produce(
                    topic: "events", partition: 0, key: nil, value: Array("\(index)".utf8), ticket: UInt64(index))
            }
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            let reports = producer.poll()
            #expect(reports.map(\.ticket) == Array(0..<250))
            #expect(reports.allSatisfy { $0.error == nil })
            #expect(producer.outstandingMessages == 0)
            let driver = try Driver(cluster)
            #expect(try driver.run { $0.records.count >= 250 })
            #expect(driver.records.map(\.text) == (0..<250).map { "\($0)" })
        }
    }

    @Test func aFullQueueIsToldApartAndEmptiesByPolling() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            try cluster.setRoundTrip(broker: 1, milliseconds: 200)
            let producer = try producer(cluster, ["queue.buffering.max.messages": "10", "linger.ms": "1000"])
            for ticket in 0..<10 {
                try producer.produce(topic: "events", key: nil, value: [1], ticket: UInt64(ticket))
            }
            let full = #expect(throws: KafkaError.self) {
                try producer.produce(
                    topic: "events", key: nil, value: [1], headers: [KafkaHeader("a", "b")], ticket: 10)
            }
            #expect(full?.isQueueFull == true && full?.isRetriable == true && full?.isMessageTooLarge == false)
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            #expect(producer.poll().map(\.ticket).sorted() == Array(0..<10))
            try producer.produce(topic: "events", key: nil, value: [1], ticket: 10)
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            #expect(producer.poll() == [.init(ticket: 10, error: nil)])
        }
    }

    @Test func aMessageTooLargeIsToldApartHereAndAtTheBroker() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let producer = try producer(cluster, ["message.max.bytes": "2000"])
            let here = #expect(throws: KafkaError.self) {
                try producer.produce(
                    topic: "events", key: nil, value: [UInt8](repeating: 1, count: 3000), ticket: 1)
            }
            #expect(here?.isMessageTooLarge == true && here?.isRetriable == false)
            cluster.pushErrors([10], for: .produce)
            try producer.produce(topic: "events", partition: 0, key: nil, value: [1], ticket: 2)
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            let there = try #require(producer.poll().first)
            #expect(there.ticket == 2 && there.error?.isMessageTooLarge == true)
            // The producer is none the worse for it.
            try producer.produce(topic: "events", partition: 0, key: nil, value: [2], ticket: 3)
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            #expect(producer.poll() == [.init(ticket: 3, error: nil)])
            #expect(producer.takeErrors().allSatisfy { !$0.isFatal })
        }
    }

    @Test func aMessageThatCouldNotBeSentInTimeIsReported() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let producer = try producer(cluster, ["message.timeout.ms": "1000"])
            try cluster.setBroker(1, isUp: false)
            try producer.produce(topic: "events", partition: 0, key: nil, value: [1], ticket: 1)
            #expect(!producer.flush(timeoutMilliseconds: 10))
            #expect(producer.flush(timeoutMilliseconds: 30_000))
            let report = try #require(producer.poll().first)
            #expect(report.error?.name == "_MSG_TIMED_OUT" && report.error?.isRetriable == true)
        }
    }

    @Test func aFatalErrorComesOutAndEverythingAfterItIsRefused() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            // CLUSTER_AUTHORIZATION_FAILED: the principal has no IDEMPOTENT_WRITE.
            cluster.pushErrors([31], for: .initProducerID)
            let producer = try producer(cluster)
            var errors: [KafkaError] = []
            let deadline = ContinuousClock.now + patience
            while !errors.contains(where: \.isFatal), ContinuousClock.now < deadline {
                producer.wake.wait(timeoutMilliseconds: 100)
                producer.wake.drain()
                _ = producer.poll()
                errors += producer.takeErrors()
            }
            #expect(errors.contains { $0.isFatal && $0.isAuthorizationFailure })
            #expect(producer.handle.fatalError?.code == 31)
            #expect(throws: KafkaError.self) {
                try producer.produce(topic: "events", key: nil, value: [1], ticket: 1)
            }
        }
    }

    @Test func reportsWakeTheirOwner() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let producer = try producer(cluster)
            var reports: [KafkaProducer.Report] = []
            for ticket in UInt64(0)..<20 {
                try producer.produce(topic: "events", partition: 0, key: nil, value: [1], ticket: ticket)
                let before = reports.count
                let deadline = ContinuousClock.now + patience
                while reports.count == before, ContinuousClock.now < deadline {
                    // Far longer than a report takes: it is the signal that ends the wait.
                    #expect(producer.wake.wait(timeoutMilliseconds: 30_000))
                    producer.wake.drain()
                    reports += producer.poll()
                }
            }
            #expect(reports.map(\.ticket) == Array(0..<20))
        }
    }
}
