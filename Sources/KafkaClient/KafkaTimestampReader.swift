import CRdkafka

/// Finds the timestamp of the first record at or behind an offset: one small fetch each, in no group. Used by one
/// thread, which it blocks.
public final class KafkaTimestampReader {
    /// Enough for one record of any usual size, and one larger than it comes all the same. More would be thrown away,
    /// every few seconds for each partition that lags.
    private static let queueKilobytes = 32

    /// Other questions, over the same connections.
    public let queries: KafkaQueries
    private let reader: KafkaRangeReader
    private let wake: WakeDescriptor
    private let batch = KafkaRecordBatch(capacity: 1)

    public init(properties: KafkaProperties, log: @escaping KafkaLog) throws(KafkaError) {
        wake = try WakeDescriptor()
        reader = try KafkaRangeReader(
            properties: properties, wake: wake, queueKilobytes: Self.queueKilobytes, log: log)
        queries = KafkaQueries(reader.handle)
    }

    /// Milliseconds since 1970 of the first record in [offset, end); nil when there is none, when it carries no
    /// timestamp, or when the broker does not hand it over in time.
    public func timestampMilliseconds(
        of partition: TopicPartition, from offset: Int64, to end: Int64, timeoutMilliseconds: Int
    ) throws(KafkaError) -> Int64? {
        guard offset < end else { return nil }
        try reader.start(partition, from: max(0, offset), to: end)
        defer {
            batch.removeAll()
            if !reader.isIdle { reader.stop() }
        }
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: .milliseconds(timeoutMilliseconds))
        while clock.now < deadline {
            wake.drain()
            let events = reader.poll(into: batch)
            if !batch.isEmpty { return batch[0].timestampMilliseconds }
            for event in events {
                switch event {
                case .finished: return nil
                case .failed(let error): throw error
                case .gap, .endOfLog: break
                }
            }
            if events.isEmpty { wake.wait(timeoutMilliseconds: Self.waitMilliseconds) }
        }
        return nil
    }

    /// Nothing waits for it: the descriptor is signalled when something comes.
    private static let waitMilliseconds = 200
}
