import KafkaClient
import Logging
import RouterCore

// Step 5: a batch is sealed by rows, bytes or age, or because it has to go.
extension Pipeline {
    func isFull(_ intake: PartitionIntake) -> Bool {
        intake.assembly.recordCount >= limits.maxRows || intake.assembly.bytes >= limits.maxBytes
    }

    /// When the oldest open batch is due.
    var nextSealMilliseconds: Int64? {
        let age = maxAgeMilliseconds
        return intakes.values.filter { !$0.assembly.isEmpty && delivery.canSeal($0.partition) }
            .map { $0.openedAtMilliseconds + age }.min()
    }

    /// The age limit stretches with the number of blocks, so that inserts per second stay under a budget.
    private var maxAgeMilliseconds: Int64 {
        BatchAge.milliseconds(
            openBlockCount: intakes.values.reduce(0) { $0 + $1.assembly.blocks.count },
            limitMilliseconds: limits.maxAgeMilliseconds)
    }

    func sealWhatIsDue() {
        let age = maxAgeMilliseconds
        for intake in intakes.values where !intake.assembly.isEmpty {
            let isOld = monotonic - intake.openedAtMilliseconds >= age
            if isOld || isFull(intake) || memory.isOver || mustFlush(intake) { sealIfPossible(intake) }
        }
    }

    private func mustFlush(_ intake: PartitionIntake) -> Bool {
        if stopping != nil || intake.needsRestart { return true }
        guard let target = caughtUp?.targets?[intake.partition] else { return false }
        return intake.position >= target
    }

    func sealIfPossible(_ intake: PartitionIntake) {
        guard !intake.assembly.isEmpty, delivery.canSeal(intake.partition) else { return }
        let id = UUID128.random()
        let hi = intake.position
        let batch = keep(intake.assembly, id: id, partition: intake.partition, lo: intake.lo, hi: hi)
        intake.beginNextBatch()
        perform(
            delivery.seal(
                partition: intake.partition, batch: id, hi: hi, content: batch.content, nowMilliseconds: monotonic))
    }
}
