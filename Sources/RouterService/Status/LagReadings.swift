import Synchronization

/// What a broker has said of one partition's log, and when.
struct LagReading: Sendable {
    /// One past the log's last offset.
    var high: Int64
    /// On the monotonic clock.
    var heardAtMilliseconds: Int64
    /// For a partition that stands still: the first offset that is not known to be delivered.
    var next: Int64?
    var oldest: Oldest?

    /// The first record at or behind an offset.
    struct Oldest: Sendable {
        /// The offset that was looked from.
        var offset: Int64
        var timestampMilliseconds: Int64
        /// On the monotonic clock.
        var lookedAtMilliseconds: Int64
    }
}

/// The brokers' last word on each partition: written by `LagWatch` and where partitions start, read for the status.
final class LagReadings: Sendable {
    /// A watermark that was heard longer ago says nothing of now: some looks were in vain, and the broker is away.
    static let freshMilliseconds: Int64 = 15_000
    /// For how long the oldest record is taken for the oldest after the committed offset has moved on from it.
    private static let oldestMilliseconds: Int64 = 5_000

    private let readings = Mutex<[Int32: LagReading]>([:])

    /// A broker has told where logs end.
    func heard(_ highs: [Int32: Int64], atMilliseconds: Int64) {
        readings.withLock { readings in
            for (partition, high) in highs {
                readings[partition, default: LagReading(high: high, heardAtMilliseconds: atMilliseconds)].high = high
                readings[partition]?.heardAtMilliseconds = atMilliseconds
            }
        }
    }

    func heard(next offset: Int64, of partition: Int32) {
        readings.withLock { $0[partition]?.next = offset }
    }

    func heard(oldest: LagReading.Oldest, of partition: Int32) {
        readings.withLock { $0[partition]?.oldest = oldest }
    }

    subscript(partition: Int32) -> LagReading? { readings.withLock { $0[partition] } }

    /// The partition with its lag by the broker's word, whether or not anything is fetched from it.
    func completed(
        _ partition: ServiceStatus.Partition, monotonicMilliseconds: Int64, wallMilliseconds: Int64
    ) -> ServiceStatus.Partition {
        guard let reading = self[partition.partition] else { return partition }
        var partition = partition
        let age = max(0, monotonicMilliseconds - reading.heardAtMilliseconds)
        partition.watermark_age_seconds = Double(age) / 1000
        // What was fetched since is newer.
        let high = max(reading.high, partition.high_watermark ?? reading.high)
        partition.high_watermark = high
        let next = partition.stopped == nil ? partition.committed_offset : reading.next
        guard let next else { return partition }
        let lag = max(0, high - next)
        partition.lag = lag
        guard age <= Self.freshMilliseconds else { return partition }
        if lag == 0 {
            partition.lag_seconds = 0
        } else if let oldest = reading.oldest,
            oldest.offset == next || monotonicMilliseconds - oldest.lookedAtMilliseconds <= Self.oldestMilliseconds
        {
            partition.lag_seconds = Double(max(0, wallMilliseconds - oldest.timestampMilliseconds)) / 1000
        }
        return partition
    }
}

extension ServiceStatus.Partition {
    /// The log's end was heard of lately, so that the lag is one.
    var isLagFresh: Bool {
        guard let watermark_age_seconds else { return false }
        return lag != nil && watermark_age_seconds * 1000 <= Double(LagReadings.freshMilliseconds)
    }
}
