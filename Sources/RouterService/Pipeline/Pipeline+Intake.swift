import KafkaClient
import RouterCore

// Steps 1 to 4 of a record's way: polled, decoded, its client judged, appended to its client's block.
extension Pipeline {
    /// - Returns: true when librdkafka may have more at hand.
    func poll() -> Bool {
        consumer.poll(into: records)
        guard !records.isEmpty else { return false }
        var intake: PartitionIntake?
        for index in 0..<records.count {
            let record = records[index]
            if intake?.partition != record.partition { intake = intakes[record.partition] }
            // Of a partition that was given up meanwhile, or below where it starts.
            guard let intake, record.offset >= intake.position else { continue }
            take(record, intake)
            if isFull(intake) { sealIfPossible(intake) }
        }
        let wasFull = records.isFull
        records.removeAll()
        return wasFull
    }

    private func take(_ record: KafkaRecord, _ intake: PartitionIntake) {
        guard intake.hasParked || !judgeNow(record, intake) else { return }
        // The record is a view into its batch, and would keep all of the batch and of what it was fetched with.
        intake.parked.append(record)
        judge.foresee(record, monotonic: monotonic)
    }

    private func judgeNow(_ record: KafkaRecord, _ intake: PartitionIntake) -> Bool {
        guard judge.judge(record, into: intake.assembly, monotonic: monotonic, wall: wall) else { return false }
        unreportedConsumed += 1
        if intake.assembly.recordCount == 1 { intake.openedAtMilliseconds = monotonic }
        intake.position = record.offset + 1
        return true
    }

    /// The directory has heard something: records that waited for it are judged now, in their order.
    func takeParked() {
        for intake in intakes.values {
            while let parked = intake.parked.first {
                guard judgeNow(parked.record, intake) else { break }
                intake.parked.removeFirst()
                if isFull(intake) { sealIfPossible(intake) }
            }
        }
    }
}
