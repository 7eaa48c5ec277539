import KafkaClient
import RouterCore

/// What is read of one partition and not sealed yet.
final class PartitionIntake {
    let partition: Int32
    /// Where the open batch starts.
    var lo: Int64
    /// One past the last offset taken into the open batch.
    var position: Int64
    var assembly = BatchAssembly()
    /// When the first record of the open batch was taken; monotonic milliseconds.
    var openedAtMilliseconds: Int64 = 0

    /// Records that wait for their client to be looked up, and those behind them: order is kept.
    var parked: [(batch: KafkaRecordBatch, index: Int)] = []
    var parkedHead = 0
    var parkedBytes = 0

    /// The log's end when it was last reached: offsets below it that never came were holes.
    var endOfLog: Int64 = -1
    /// Why fetching is stopped on our side, if it is.
    var isPaused = false
    /// Sealed as it is, then started again from its committed state (its position was not in the log any more).
    var needsRestart = false

    /// The log's end when the partition was assigned, one past its last offset.
    let highAtStart: Int64

    init(partition: Int32, start: Int64, high: Int64) {
        self.partition = partition
        highAtStart = high
        lo = start
        position = start
    }

    var hasParked: Bool { parkedHead < parked.count }
    var parkedCount: Int { parked.count - parkedHead }

    func park(_ batch: KafkaRecordBatch, _ index: Int, bytes: Int) {
        parked.append((batch, index))
        parkedBytes += bytes
    }

    func unpark(bytes: Int) {
        parkedHead += 1
        parkedBytes -= bytes
        if parkedHead == parked.count {
            parked.removeAll(keepingCapacity: true)
            parkedHead = 0
            parkedBytes = 0
        } else if parkedHead > 4096 {
            parked.removeFirst(parkedHead)
            parkedHead = 0
        }
    }

    /// Begins the next batch where the sealed one ended.
    func beginNextBatch() {
        assembly = BatchAssembly()
        lo = position
    }
}
