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
}
