import Glibc
import KafkaClient
import RouterTestSupport
import Testing

/// A record that has to wait is copied, and the batch that it came in is freed.
@Suite struct RecordCopyTests {
    @Test func aCopyIsTheRecordAfterItsBatchAndItsConsumerAreGone() async throws {
        try await onOwnThread {
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events")
            let header = KafkaHeader("name", "value")
            let sent: [(key: [UInt8]?, value: [UInt8]?, headers: [KafkaHeader])] = [
                (Array("key".utf8), Array("value".utf8), [header, KafkaHeader("null", nil), KafkaHeader("empty", "")]),
                (nil, Array(repeating: 7, count: 100_000), []),
                (Array("tombstone".utf8), nil, [header]),
                ([], [], []),
                (nil, nil, []),
            ]
            let producer = try producer(cluster)
            for (ticket, record) in sent.enumerated() {
                try producer.produce(
                    topic: "events", partition: 0, key: record.key, value: record.value, headers: record.headers,
                    ticket: UInt64(ticket))
            }
            producer.flush(timeoutMilliseconds: 30_000)
            var originals: [Copied] = []
            let copies = try keep(of: cluster, records: sent.count) { record in
                originals.append(try Copied(record))
                return KafkaRecordCopy(record)
            }
            // Here the consumer is gone, and with it all that librdkafka had.
            #expect(try copies.map { try Copied($0.record) } == originals)
            #expect(copies.map(\.record.topicPartition) == Array(repeating: first, count: sent.count))
            #expect(copies.map { $0.record.value.map { Array($0) } } == sent.map(\.value))
            #expect(copies.map { $0.record.key.map { Array($0) } } == sent.map(\.key))
            #expect(try copies.map { try $0.record.copiedHeaders() } == sent.map(\.headers))
            #expect(copies.map(\.record.offset) == [0, 1, 2, 3, 4])
            for (copy, record) in zip(copies, sent) {
                #expect(copy.heldBytes > (record.key?.count ?? 0) + (record.value?.count ?? 0))
            }
        }
    }

    /// The records of some batches are some 30 MB. To keep one record of each batch must not keep the others; that the
    /// measure sees such a thing is shown by keeping the batches.
    @Test func oneRecordKeptOfEachBatchKeepsNoOther() async throws {
        try await onOwnThread {
            let partitions = 8
            let cluster = try MockKafkaCluster()
            try cluster.createTopic("events", partitions: partitions)
            let producer = try producer(cluster)
            let value = [UInt8](repeating: 7, count: 4_000)
            for index in 0..<8_000 {
                try producer.produce(
                    topic: "events", partition: Int32(index % partitions), key: nil, value: value, ticket: 0)
                if index % 500 == 499 { producer.flush(timeoutMilliseconds: 30_000) }
            }
            let bytes = 8_000 * value.count
            let before = try allocatedBytes()
            var kept: [KafkaRecordCopy] = []
            var batches: [KafkaRecordBatch] = []
            try readInBatches(of: cluster, records: 8_000) { batch in
                kept.append(KafkaRecordCopy(batch[0]))
            }
            let withCopies = try allocatedBytes() - before
            let counted = kept.reduce(0) { $0 + $1.heldBytes }
            #expect(counted < bytes / 20)
            // Beside it runs whatever the other tests do, so the bound is wide: a third of what the records take.
            #expect(
                withCopies < bytes / 3, "\(withCopies) bytes are held for \(kept.count) records, counted \(counted)")
            kept = []
            try readInBatches(of: cluster, records: 8_000) { batches.append($0) }
            #expect(try allocatedBytes() - before > bytes * 2 / 3)
            batches = []
        }
    }
}

/// Reads so many records with a consumer of its own, which is gone when this returns.
private func keep(
    of cluster: MockKafkaCluster, records: Int, _ keep: (KafkaRecord) throws -> KafkaRecordCopy
) throws -> [KafkaRecordCopy] {
    var kept: [KafkaRecordCopy] = []
    try readInBatches(of: cluster, records: records) { batch in
        for record in batch { kept.append(try keep(record)) }
    }
    return kept
}

/// Each batch is new, so that the reader may keep it.
private func readInBatches(
    of cluster: MockKafkaCluster, records: Int, _ body: (KafkaRecordBatch) throws -> Void
) throws {
    let properties = consumerProperties(cluster, group: "reader-\(UInt64.random(in: 0 ... .max))")
    let consumer = try KafkaConsumer(properties: properties, wake: try WakeDescriptor(), log: { _, _, _ in })
    try consumer.subscribe(["events"])
    let driver = Driver(consumer)
    var seen = 0
    let deadline = ContinuousClock.now + patience
    while seen < records {
        guard ContinuousClock.now < deadline else { throw ReadTooLittle(records: seen) }
        let batch = KafkaRecordBatch(capacity: 500)
        consumer.wake.drain()
        consumer.poll(into: batch)
        for event in consumer.takeEvents() { try driver.answer(event) }
        seen += batch.count
        if batch.isEmpty { consumer.wake.wait(timeoutMilliseconds: 20) } else { try body(batch) }
    }
}

private struct ReadTooLittle: Error {
    var records: Int
}

/// What this process has allocated and not freed, by glibc's own account: malloc_info(3), whose header is in no module.
private func allocatedBytes() throws -> Int {
    let symbol = try #require(dlsym(nil, "malloc_info"))
    let mallocInfo = unsafeBitCast(symbol, to: (@convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32).self)
    let file = try #require(tmpfile())
    defer { fclose(file) }
    #expect(mallocInfo(0, file) == 0)
    rewind(file)
    var text = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&text, 1, text.count, file)
    // Behind the last arena stand the sums of all of them.
    let lines = String(decoding: text[..<count], as: UTF8.self).split(separator: "\n")
    func size(_ start: String) throws -> Int {
        let line = try #require(lines.last { $0.hasPrefix("<\(start)") })
        let words = line.split(separator: "\"")
        let name = try #require(words.lastIndex { $0.hasSuffix("size=") })
        return try #require(Int(words[name + 1]))
    }
    return try size("system type=\"current\"") - size("total type=\"fast\"") - size("total type=\"rest\"")
        + size("total type=\"mmap\"")
}
