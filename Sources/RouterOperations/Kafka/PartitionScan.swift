import KafkaClient

/// Reads ranges of partitions to their end, one after the other, and shows every record. It joins no group and commits
/// nothing. Used by one thread, which it blocks.
final class PartitionScan {
    /// Without a record or an event for this long Kafka counts as away. An election takes seconds.
    static let stallMilliseconds = 60_000
    private static let waitMilliseconds = 1000
    private static let batchRecords = 10_000

    private let reader: KafkaRangeReader
    private let wake: WakeDescriptor
    private let batch = KafkaRecordBatch(capacity: batchRecords)

    init(properties: KafkaProperties, log: @escaping KafkaLog) throws(KafkaError) {
        wake = try WakeDescriptor()
        reader = try KafkaRangeReader(properties: properties, wake: wake, log: log)
    }

    /// - Parameter body: called for each record in the order of offsets; the record is valid during the call only.
    func read(_ partition: TopicPartition, _ range: Range<Int64>, _ body: (KafkaRecord) throws -> Void) throws {
        guard !range.isEmpty else { return }
        try reader.start(partition, from: range.lowerBound, to: range.upperBound)
        defer { if !reader.isIdle { reader.stop() } }
        var quietMilliseconds = 0
        while true {
            wake.drain()
            let events = reader.poll(into: batch)
            for index in 0..<batch.count { try body(batch[index]) }
            var isDone = false
            for event in events {
                switch event {
                case .finished: isDone = true
                // What retention took meanwhile cannot be read any more; the log may tell an older end for a moment.
                case .gap, .endOfLog: break
                case .failed(let error): throw error
                }
            }
            let isQuiet = batch.isEmpty
            batch.removeAll()
            if isDone { return }
            if !isQuiet || !events.isEmpty {
                quietMilliseconds = 0
                if !isQuiet { continue }
            }
            guard quietMilliseconds < Self.stallMilliseconds else { throw stalled(partition) }
            if !wake.wait(timeoutMilliseconds: Self.waitMilliseconds) { quietMilliseconds += Self.waitMilliseconds }
        }
    }

    private func stalled(_ partition: TopicPartition) -> OperationError {
        OperationError(
            "kafka_stalled",
            "reading \(partition) came to a stop: no record for \(Self.stallMilliseconds / 1000) seconds; see that all "
                + "its brokers are up, then run the command again",
            isRetriable: true)
    }
}
