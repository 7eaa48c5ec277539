import KafkaClient
import RouterCore

// Steps 1 to 4 of a record's way: polled, decoded, its client judged, appended to its client's block.
extension Pipeline {
    /// - Returns: true when librdkafka may have more at hand.
    func poll() -> Bool {
        consumer.poll(into: records)
        guard !records.isEmpty else { return false }
        var hasParked = false
        var intake: PartitionIntake?
        for index in 0..<records.count {
            let record = records[index]
            if intake?.partition != record.partition { intake = intakes[record.partition] }
            // Of a partition that was given up meanwhile, or below where it starts.
            guard let intake, record.offset >= intake.position else { continue }
            if take(record, at: index, intake) { hasParked = true }
            if isFull(intake) { sealIfPossible(intake) }
        }
        let wasFull = records.isFull
        // A parked record is a view into its batch: the batch is left to it.
        if hasParked { records = KafkaRecordBatch(capacity: records.capacity) } else { records.removeAll() }
        return wasFull
    }

    /// - Returns: true when the record was parked.
    private func take(_ record: KafkaRecord, at index: Int, _ intake: PartitionIntake) -> Bool {
        if intake.hasParked || !judgeNow(record, intake) {
            intake.park(records, index, bytes: Self.parkedBytes(record))
            judge.foresee(record, monotonic: monotonic)
            return true
        }
        return false
    }

    private func judgeNow(_ record: KafkaRecord, _ intake: PartitionIntake) -> Bool {
        guard judge.judge(record, into: intake.assembly, monotonic: monotonic, wall: wall) else { return false }
        unreportedConsumed += 1
        if intake.assembly.recordCount == 1 { intake.openedAtMilliseconds = monotonic }
        intake.position = record.offset + 1
        return true
    }

    private static func parkedBytes(_ record: KafkaRecord) -> Int {
        (record.value?.count ?? 0) + (record.key?.count ?? 0) + 256
    }

    /// The directory has heard something: records that waited for it are judged now, in their order.
    func takeParked() {
        for intake in intakes.values {
            while intake.hasParked {
                let (batch, index) = intake.parked[intake.parkedHead]
                let record = batch[index]
                guard judgeNow(record, intake) else { break }
                intake.unpark(bytes: Self.parkedBytes(record))
                if isFull(intake) { sealIfPossible(intake) }
            }
        }
    }
}
