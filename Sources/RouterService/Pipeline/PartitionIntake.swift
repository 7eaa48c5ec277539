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
    var parked = ParkedRecords()

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

    var hasParked: Bool { !parked.isEmpty }
    var parkedCount: Int { parked.count }
    var parkedBytes: Int { parked.bytes }

    /// Begins the next batch where the sealed one ended.
    func beginNextBatch() {
        assembly = BatchAssembly()
        lo = position
    }
}
