import Logging
import RouterCore

// The watch of progress: what each partition waits for, told a few times a second to whoever asks, and to the log when a
// partition begins to stand still and when it moves again.
extension Pipeline {
    func watchProgress() {
        for intake in intakes.values {
            switch watch.look(intake.partition, sight(intake), nowMilliseconds: monotonic) {
            case .began(let partition, let reason, let milliseconds):
                log.warning(
                    "a partition does not move", metadata: words(partition, reason, milliseconds))
            case .ended(let partition, let reason, let milliseconds):
                log.notice("a partition moves again", metadata: words(partition, reason, milliseconds))
            case nil:
                break
            }
        }
        for intake in intakes.values {
            guard let progress = watch.progress(intake.partition, nowMilliseconds: monotonic) else { continue }
            metrics.stalled(
                topic: topic, partition: intake.partition,
                waitingFor: progress.stalledMilliseconds > 0 ? progress.waitingFor : nil,
                milliseconds: progress.stalledMilliseconds)
        }
    }

    func forgetProgress(_ partition: Int32) {
        watch.forget(partition)
        metrics.stalled(topic: topic, partition: partition, waitingFor: nil, milliseconds: 0)
    }

    private func words(_ partition: Int32, _ reason: WaitReason, _ milliseconds: Int64) -> Logger.Metadata {
        [
            "topic": "\(topic)", "partition": "\(partition)", "waiting_for": "\(reason.rawValue)",
            "seconds": "\(milliseconds / 1000)",
        ]
    }

    private func sight(_ intake: PartitionIntake) -> ProgressWatch.Sight {
        let partition = intake.partition
        let isDelivering = !delivery.isIdle(partition)
        let isHeld = !intake.assembly.isEmpty || intake.hasParked
        // Offsets at the log's end that hold no record are passed when the end is reached.
        let canBeRead = max(intake.position, intake.endOfLog) < highWatermark(intake)
        return ProgressWatch.Sight(
            position: intake.position, committedOffset: delivery.committedOffset(partition) ?? -1,
            movements: delivery.movements(partition), hasWork: isDelivering || isHeld || canBeRead,
            waitingFor: waitReason(intake))
    }

    /// The nearest cause first: what keeps records from being read, and where nothing does, what keeps batches.
    private func waitReason(_ intake: PartitionIntake) -> WaitReason {
        if membership.isUnsettled { return .rebalance }
        if let reason = delivery.waitReason(intake.partition) { return reason }
        if intake.hasParked { return .clientDirectory }
        if pauses.partitions[intake.partition] != nil { return .operatorPause }
        if memory.isOver { return .memory }
        return .kafka
    }
}
