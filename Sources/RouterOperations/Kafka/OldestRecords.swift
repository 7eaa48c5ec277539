import KafkaClient
import RouterConfiguration
import RouterConnections

/// The first record of each partition that is not delivered: a small fetch each.
enum OldestRecords {
    /// Partitions that are looked at: those with the largest lag.
    private static let maxPartitions = 16

    /// Milliseconds since 1970, by partition; without those that were not looked at, or carry no timestamp.
    static func timestamps(
        _ positions: [GroupPosition], settings: Settings, timeoutMilliseconds: Int, log: @escaping KafkaLog
    ) throws -> [Int32: Int64] {
        let waiting = positions.filter { $0.lag > 0 }.sorted { $0.lag > $1.lag }.prefix(maxPartitions)
        guard !waiting.isEmpty else { return [:] }
        let reader = try KafkaTimestampReader(properties: settings.kafkaGroupProperties, log: log)
        var found: [Int32: Int64] = [:]
        for position in waiting {
            found[position.partition.partition] = try reader.timestampMilliseconds(
                of: position.partition, from: position.next, to: position.high,
                timeoutMilliseconds: timeoutMilliseconds)
        }
        return found
    }
}
