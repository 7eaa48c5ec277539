import KafkaClient
import Logging
import RouterCore

// One budget for everything that is held: at the limit partitions are paused, and nothing is dropped.
extension Pipeline {
    var bufferedBytes: Int { held.total }

    private var held: MemoryBudget.Held {
        MemoryBudget.Held(
            open: intakes.values.reduce(0) { $0 + $1.assembly.bytes + $1.parkedBytes }, sealed: sealedBytes.total,
            deadLetters: outbox.bytes, reread: rangeJobs.bytes)
    }

    func balanceMemory() {
        if memory.update(held) {
            log.info(
                memory.isOver ? "memory limit reached, reading pauses" : "reading goes on",
                metadata: ["bytes": "\(memory.held.total)", "limit": "\(limits.memoryBytes)"])
        }
        var pausing: [Int32] = []
        var resuming: [Int32] = []
        for intake in intakes.values {
            let mustPause = mustPause(intake)
            guard mustPause != intake.isPaused else { continue }
            intake.isPaused = mustPause
            if mustPause { pausing.append(intake.partition) } else { resuming.append(intake.partition) }
        }
        pause(pausing)
        resume(resuming)
    }

    private func mustPause(_ intake: PartitionIntake) -> Bool {
        if memory.isOver || stopping != nil || intake.needsRestart { return true }
        if pauses.partitions[intake.partition] != nil { return true }
        if intake.parkedCount > (intake.isPaused ? 0 : PipelineLimits.maxParkedRecords) { return true }
        // The chain is full: what is read now could not be sealed.
        return isFull(intake) && !delivery.canSeal(intake.partition)
    }

    var pausedPartitionCount: Int { intakes.values.count { $0.isPaused } + membership.stopped.count }

    func pause(_ partitions: [Int32]) {
        change(partitions, "pause", consumer.pause)
    }

    private func resume(_ partitions: [Int32]) {
        change(partitions, "resume", consumer.resume)
    }

    private func change(_ partitions: [Int32], _ what: String, _ call: ([TopicPartition]) throws(KafkaError) -> Void) {
        guard !partitions.isEmpty else { return }
        do {
            try call(partitions.map { TopicPartition(topic: topic, partition: $0) })
        } catch {
            log.warning("cannot \(what) partitions", metadata: ["partitions": "\(partitions)", "error": "\(error)"])
        }
    }
}
