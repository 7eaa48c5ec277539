import KafkaClient
import RouterTestSupport
import Testing

@Suite struct CommitTests {
    @Test func metadataComesBackByteForByte() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let driver = try Driver(cluster)
            #expect(try driver.run { !$0.owned.isEmpty })
            let queries = try KafkaQueries(
                properties: consumerProperties(cluster, group: "group"), log: { _, _, _ in })
            func committed() throws -> KafkaQueries.Committed {
                try #require(try queries.committed([first], timeoutMilliseconds: 10_000).first)
            }
            #expect(try committed() == .init(partition: first, offset: nil, metadata: nil, error: nil))

            let longest = String(repeating: "x", count: KafkaConsumer.defaultMaxMetadataBytes)
            // The same offset three times: a commit is sent for the sake of its metadata too.
            let texts = ["v1 0123:5 4567:7c", "ä€\u{1F600}z", longest, ""]
            for (index, text) in texts.enumerated() {
                #expect(try driver.commit(first, 7, text, ticket: UInt64.max - UInt64(index)) == .some(nil))
                let expected = KafkaQueries.Committed(
                    partition: first, offset: 7, metadata: text.isEmpty ? nil : text, error: nil)
                #expect(try committed() == expected)
            }
            // Backwards is a commit like any other.
            #expect(try driver.commit(first, 3, "back", ticket: 0) == .some(nil))
            #expect(try committed().offset == 3)
        }
    }

    @Test func metadataThatTheProtocolCannotCarryIsRefusedBeforeItIsSent() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            let driver = try Driver(cluster, topics: [])
            let tooLong = String(repeating: "x", count: KafkaConsumer.protocolMaxMetadataBytes + 1)
            let error = #expect(throws: KafkaError.self) {
                try driver.consumer.commit([(first, 1, tooLong)], ticket: 1)
            }
            #expect(error?.name == "OFFSET_METADATA_TOO_LARGE")
        }
    }

    @Test func commitsUnderWayKeepTheirOrder() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let driver = try Driver(cluster)
            #expect(try driver.run { !$0.owned.isEmpty })
            try cluster.setRoundTrip(broker: 1, milliseconds: 100)
            for offset in 1...20 {
                try driver.consumer.commit([(first, Int64(offset), "state \(offset)")], ticket: UInt64(offset))
            }
            var tickets: [UInt64] = []
            #expect(
                try driver.run { driver in
                    tickets = driver.events.compactMap {
                        if case .committed(let ticket, _, nil) = $0 { ticket } else { nil }
                    }
                    return tickets.count == 20
                })
            #expect(tickets == Array(1...20))
            let committed = try driver.consumer.queries.committed([first], timeoutMilliseconds: 10_000)
            #expect(committed.first?.metadata == "state 20")
        }
    }

    /// 22, 25, 27 and 82 as the broker says them for each partition, and 12 for metadata that is too long for it.
    @Test(arguments: [Int32(22), 25, 27, 82, 12])
    func aRefusalReachesTheOneWhoCommitted(code: Int32) async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let driver = try Driver(cluster)
            #expect(try driver.run { !$0.owned.isEmpty })
            let other = driver.consumer.queries
            cluster.pushErrors([code], for: .offsetCommit)
            let answer = try driver.commit(first, 5, "refused", ticket: 42)
            #expect(answer??.code == code)
            for case .committed(_, let partitions, _) in driver.events {
                #expect(partitions.map(\.error?.code) == [code])
                #expect(partitions.map(\.partition) == [first])
            }
            #expect(try other.committed([first], timeoutMilliseconds: 10_000).first?.offset == nil)
            #expect(answer??.isMembershipLost == [22, 25, 82].contains(code))
            #expect(answer??.isRebalanceInProgress == (code == 27))

            if code == 22 || code == 25 {
                #expect(try driver.run { !$0.revocations.isEmpty })
                #expect(driver.revocations.first?.lost == true)
            }
            if code == 82 {
                #expect(driver.consumer.handle.fatalError?.code == 82)
                #expect(
                    try driver.run { driver in
                        driver.events.contains { if case .error(let error) = $0 { error.isFatal } else { false } }
                    })
                let refused = #expect(throws: KafkaError.self) {
                    try driver.consumer.commit([(first, 5, "fenced")], ticket: 43)
                }
                #expect(refused?.isFatal == true && refused?.code == 82)
            }
            if code == 27 || code == 12 {
                #expect(try driver.commit(first, 5, "once more", ticket: 44) == .some(nil))
                #expect(driver.revocations.isEmpty)
            }
        }
    }

    /// Why a request carries one partition only.
    @Test func oneRefusedPartitionSpoilsTheAnswersOfTheOthers() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let driver = try Driver(cluster)
            #expect(try driver.run { !$0.owned.isEmpty })
            let missing = TopicPartition(topic: "events", partition: 7)
            // The broker answers UNKNOWN_TOPIC_OR_PART for the partition that does not exist, and keeps the other's.
            try driver.consumer.commit([(first, 5, "kept"), (missing, 5, "refused")], ticket: 1)
            var answers: [KafkaCommitAnswer] = []
            #expect(
                try driver.run { driver in
                    for case .committed(1, let partitions, _) in driver.events { answers = partitions }
                    return !answers.isEmpty
                })
            #expect(answers.map(\.error?.name) == ["UNKNOWN_TOPIC_OR_PART", "UNKNOWN_TOPIC_OR_PART"])
            let committed = try driver.consumer.queries.committed([first], timeoutMilliseconds: 10_000)
            #expect(committed.first?.metadata == "kept")
        }
    }

    @Test func aCommitWaitsForACoordinatorThatIsAway() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let driver = try Driver(cluster, ["session.timeout.ms": "20000", "reconnect.backoff.max.ms": "200"])
            #expect(try driver.run { !$0.owned.isEmpty })
            try cluster.setBroker(1, isUp: false)
            try driver.consumer.commit([(first, 9, "late")], ticket: 9)
            try driver.run(for: .seconds(1))
            #expect(!driver.events.contains { if case .committed = $0 { true } else { false } })
            try cluster.setBroker(1, isUp: true)
            var answer: KafkaError??
            #expect(
                try driver.run { driver in
                    for case .committed(9, _, let error) in driver.events { answer = .some(error) }
                    return answer != nil
                })
            #expect(answer == .some(nil))
        }
    }
}
