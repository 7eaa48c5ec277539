import KafkaClient
import Logging
import RouterCore

/// What `--until-caught-up` waits for: each partition delivered up to where its log ended when the service started.
struct CaughtUp {
    /// One past the last offset of each partition at the start.
    var targets: [Int32: Int64]?
    /// For partitions of other members: what the group has committed.
    var committedElsewhere: [Int32: Int64] = [:]
    var nextLookMilliseconds: Int64 = 0
}

// How it ends: asked to, or caught up.
extension Pipeline {
    func stop() {
        guard stopping == nil else { return }
        log.notice(
            "stopping: finishing what is under way",
            metadata: ["batches": "\(delivery.outstandingBatchCount)", "limit_ms": "\(limits.shutdownMilliseconds)"])
        stopping = Stopping(deadlineMilliseconds: monotonic + limits.shutdownMilliseconds)
    }

    /// True when everything read is delivered and committed.
    var isDrained: Bool {
        intakes.values.allSatisfy { $0.assembly.isEmpty } && delivery.isIdle && outbox.isIdle
    }

    func advanceStopping() {
        if let stopping {
            if monotonic >= stopping.deadlineMilliseconds {
                log.warning(
                    "the time to finish is over: what is under way is redone by the next owner",
                    metadata: ["batches": "\(delivery.outstandingBatchCount)"])
            }
            return
        }
        failIfItCannotCatchUp()
        if let targets = caughtUp?.targets { failIfPausedBehind(targets) }
        if hasCaughtUp {
            log.notice("caught up", metadata: ["consumed": "\(counts.consumed)"])
            stop()
        }
    }

    /// A partition that stands still until a person decides is never caught up: whoever waits for the end has to know.
    private func failIfItCannotCatchUp() {
        guard let targets = caughtUp?.targets else { return }
        let stopped = membership.stopped.filter { targets[$0.key] ?? 0 > 0 }.sorted { $0.key < $1.key }
        guard let first = stopped.first, fatalError == nil else { return }
        fatalError = ServiceError(
            "cannot catch up: \(stopped.count) of \(targets.count) partitions of \(topic) stand still; "
                + "partition \(first.key): \(first.value)")
    }

    private var hasCaughtUp: Bool {
        guard let targets = caughtUp?.targets, membership.hasJoined, membership.assigning == nil else { return false }
        for (partition, target) in targets {
            if let intake = intakes[partition] {
                // Offsets at the end that hold no record (a transaction's marker) are passed when the log's end is reached.
                let passed = max(intake.position, intake.assembly.isEmpty ? intake.endOfLog : 0)
                guard passed >= target || target == 0, !intake.hasParked, intake.assembly.isEmpty,
                    delivery.isIdle(partition)
                else { return false }
            } else if membership.assigned.contains(partition) || target == 0 {
                // Stopped, or about to start.
                guard target == 0 else { return false }
            } else {
                guard caughtUp?.committedElsewhere[partition] ?? -1 >= target else {
                    lookElsewhere(targets)
                    return false
                }
            }
        }
        return true
    }

    private func lookElsewhere(_ targets: [Int32: Int64]) {
        guard monotonic >= caughtUp?.nextLookMilliseconds ?? 0 else { return }
        caughtUp?.nextLookMilliseconds = monotonic + PipelineLimits.retryMilliseconds
        starts.readCommitted(targets.keys.filter { intakes[$0] == nil })
    }
}
