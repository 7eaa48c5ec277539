import KafkaClient
import Logging
import RouterCore

// The member's part in its group: partitions come, go, are lost, or stand still.
extension Pipeline {
    func handle(_ event: KafkaConsumerEvent) {
        switch event {
        case .assign(let partitions): assign(partitions.map(\.partition))
        case .revoke(let partitions, let lost): revoke(partitions.map(\.partition), lost: lost)
        case .committed(let ticket, let partitions, let error): committed(ticket, partitions.first?.error ?? error)
        case .error(let error): kafkaError(error)
        case .partitionError(let partition, let error): partitionError(partition.partition, error)
        case .endOfPartition(let partition, let offset): intakes[partition.partition]?.endOfLog = offset
        }
    }

    // MARK: - Assignment

    private func assign(_ partitions: [Int32]) {
        membership.hasJoined = true
        counts.kafkaError = nil
        membership.shelveRestart(without: [], untilMilliseconds: monotonic + PipelineLimits.retryMilliseconds)
        membership.assigning = partitions
        if membership.isRejoining {
            takeWithoutStarting()
        } else if !isStillMember() {
            missGeneration()
        } else {
            log.info(
                "partitions assigned",
                metadata: [
                    "partitions": "\(partitions.sorted())", "generation": "\(membership.known?.generation ?? -1)",
                ])
            askForStarts(partitions)
        }
    }

    private func askForStarts(_ partitions: [Int32]) {
        membership.startRequest += 1
        membership.startRequestPartitions = partitions
        membership.isStartRequestOpen = true
        membership.askAgainAtMilliseconds = nil
        starts.read(partitions, request: membership.startRequest)
    }

    func startsKnown(_ request: UInt64, _ result: Result<[PartitionStart], StartFailure>) {
        guard request == membership.startRequest else {
            starts.giveBack(((try? result.get()) ?? []).compactMap(\.acceptance))
            return
        }
        membership.isStartRequestOpen = false
        switch result {
        case .failure(let failure):
            log.warning("cannot read where to start, asking again", metadata: ["error": "\(failure.message)"])
            membership.askAgainAtMilliseconds = monotonic + PipelineLimits.retryMilliseconds
        case .success(let found):
            // Reading where to start may have taken longer than the session.
            guard isStillMember() else { return missGeneration() }
            if membership.assigning != nil {
                membership.assigning = nil
                begin(found) { [consumer, topic] places in
                    try consumer.assign(places.map { (TopicPartition(topic: topic, partition: $0), .at($1)) })
                }
            } else {
                let ours = found.filter { membership.assigned.contains($0.partition) }
                begin(ours) { [consumer, topic] places in
                    for (partition, offset) in places {
                        // One that stood still goes on.
                        try consumer.resume([TopicPartition(topic: topic, partition: partition)])
                        try consumer.restart(TopicPartition(topic: topic, partition: partition), at: .at(offset))
                    }
                }
            }
        }
    }

    private func begin(_ found: [PartitionStart], _ tell: ([(Int32, Int64)]) throws -> Void) {
        var places: [(Int32, Int64)] = []
        var running: [(partition: Int32, state: PartitionState, isCommitted: Bool)] = []
        let highs = Dictionary(found.map { ($0.partition, $0.high) }) { _, last in last }
        board.lag.heard(highs, atMilliseconds: monotonic)
        for start in found {
            switch start.decision {
            case .earliest:
                running.append((start.partition, PartitionState(offset: start.low), true))
                places.append((start.partition, start.low))
            case .resume(let state):
                running.append((start.partition, state, true))
                places.append((start.partition, max(state.end, start.low)))
            case .resumeAfterLoss(let state, let lost):
                reportLoss(start.partition, lost)
                running.append((start.partition, state, true))
                places.append((start.partition, max(state.end, start.low)))
            case .takeOver(let state, let lost):
                reportTakeOver(start, state)
                reportLoss(start.partition, lost)
                running.append((start.partition, state, false))
                places.append((start.partition, max(state.end, start.low)))
            case .stop(let reason):
                let stoodStill = membership.stopped[start.partition] != nil
                stopPartition(start.partition, reason)
                if !stoodStill { places.append((start.partition, start.high)) }
            }
        }
        do {
            try tell(places)
        } catch {
            log.error("cannot start partitions", metadata: ["error": "\(error)"])
            starts.giveBack(found.compactMap(\.acceptance))
            membership.startingOver.formUnion(found.map(\.partition))
            membership.startOverAtMilliseconds = monotonic + PipelineLimits.retryMilliseconds
            return
        }
        membership.assigned.formUnion(found.map(\.partition))
        for (partition, _, _) in running { membership.stopped[partition] = nil }
        pause(Array(membership.stopped.keys))
        for (partition, state, isCommitted) in running {
            let event: DeliveryEvent =
                isCommitted
                ? .assigned(partition: partition, state: state) : .takenOver(partition: partition, state: state)
            perform(delivery.handle(event, nowMilliseconds: monotonic))
            intakes[partition] = PartitionIntake(
                partition: partition, start: state.end, high: highs[partition] ?? state.end)
        }
    }

    func reportLoss(_ partition: Int32, _ ranges: [Range<Int64>]) {
        let lost = RangeSet(ranges).subtracting(membership.lost[partition] ?? RangeSet())
        guard !lost.isEmpty else { return }
        membership.lost[partition, default: RangeSet()].formUnion(lost)
        progress.lost(partition: partition, offsets: Array(lost.ranges))
        for lost in lost.ranges {
            counts.lostToRetention += Int64(lost.count)
            metrics.lostToRetention.increment(by: lost.count)
            log.critical(
                "records were deleted by retention before they were delivered",
                metadata: [
                    "topic": "\(topic)", "partition": "\(partition)", "from": "\(lost.lowerBound)",
                    "to": "\(lost.upperBound)", "count": "\(lost.count)",
                ])
        }
    }

    private func reportTakeOver(_ start: PartitionStart, _ state: PartitionState) {
        var metadata: Logger.Metadata = [
            "topic": "\(topic)", "partition": "\(start.partition)", "offset": "\(state.offset)",
        ]
        if let acceptance = start.acceptance {
            metadata["accepted_by"] = "\(acceptance.acceptedBy)"
            metadata["reason"] = "\(acceptance.reason)"
            log.notice("partition goes on at an accepted offset", metadata: metadata)
        } else {
            log.notice(
                "the committed offset has no state of a router beside it: going on there, and looking for rows that are there already",
                metadata: metadata)
        }
    }

    private func stopPartition(_ partition: Int32, _ reason: String) {
        // It is asked about again and again, and told once.
        guard membership.stopped.updateValue(reason, forKey: partition) != reason else { return }
        log.critical(
            "partition stands still until a person decides",
            metadata: ["topic": "\(topic)", "partition": "\(partition)", "reason": "\(reason)"])
    }

    // MARK: - Revocation

    private func revoke(_ partitions: [Int32], lost: Bool) {
        log.info(
            lost ? "partitions lost" : "partitions revoked", metadata: ["partitions": "\(partitions.sorted())"])
        if lost && !membership.isRejoining { reportMissedGeneration(partitions.sorted()) }
        membership.shelveRestart(
            without: partitions, untilMilliseconds: monotonic + PipelineLimits.retryMilliseconds)
        membership.assigning = nil
        for partition in partitions {
            // What is read and not sealed never left: the next owner reads it.
            intakes[partition] = nil
            membership.stopped[partition] = nil
            // The next log of that name may have the same offsets.
            membership.lost[partition] = nil
            membership.startingOver.remove(partition)
            metrics.lag.forget(partition)
            forgetProgress(partition)
        }
        membership.revoking = (partitions, Set(partitions))
        if !lost && !membership.isRejoining && !isStillMember() { return missGeneration() }
        perform(
            delivery.handle(
                lost ? .lost(partitions: partitions) : .revoking(partitions: partitions), nowMilliseconds: monotonic))
        // Partitions that the delivery machine never held are free at once.
        for partition in partitions where !delivery.owns(partition) { released(partition) }
    }

    func released(_ partition: Int32) {
        membership.revoking?.waiting.remove(partition)
        guard let revoking = membership.revoking, revoking.waiting.isEmpty else { return }
        membership.revoking = nil
        membership.assigned.subtract(revoking.all)
        do {
            try consumer.unassign(revoking.all.map { TopicPartition(topic: topic, partition: $0) })
        } catch {
            log.error("cannot give partitions up", metadata: ["error": "\(error)"])
        }
        if membership.assigned.isEmpty { gaveEverythingUp() }
    }

    // MARK: - Commits

    private func committed(_ ticket: UInt64, _ error: KafkaError?) {
        guard let (partition, state) = membership.commits.removeValue(forKey: ticket) else { return }
        let answer: CommitAnswer
        if let error {
            if error.isFatal || error.code == Self.fencedInstance {
                fatalError = ServiceError(
                    "another process took this member's place in the group (same group.instance.id): \(error)")
            }
            answer = error.isMembershipLost ? .generationMissed : .retry
            log.warning(
                "commit was not accepted",
                metadata: [
                    "partition": "\(partition)", "error": "\(error)",
                    "then": "\(answer == .retry ? "trying again" : "starting over from what is committed")",
                ])
        } else {
            answer = .durable
            announceSeals(state, partition)
        }
        perform(
            delivery.handle(
                .committed(partition: partition, ticket: ticket, answer: answer), nowMilliseconds: monotonic))
    }

    private static let fencedInstance: Int32 = 82

    private func announceSeals(_ state: PartitionState, _ partition: Int32) {
        if !state.batches.isEmpty { checkMetadataOnce(partition) }
        for entry in state.batches where !entry.isComplete {
            guard let batch = sealed[entry.id], membership.announced.insert(entry.id).inserted else { continue }
            log.debug("batch sealed", metadata: place(batch.id, partition, batch.lo, batch.hi))
        }
    }

    // MARK: - Errors, and what time brings

    private func partitionError(_ partition: Int32, _ error: KafkaError) {
        log.error("cannot read on", metadata: ["partition": "\(partition)", "error": "\(error)"])
        guard error.isNoValidOffset, let intake = intakes[partition] else { return }
        intake.needsRestart = true
    }

    private func kafkaError(_ error: KafkaError) {
        counts.kafkaError = error.description
        if error.isFatal {
            fatalError = ServiceError("Kafka's client cannot go on: \(error)")
        } else {
            log.warning("Kafka", metadata: ["error": "\(error)"])
        }
    }

    /// What time brings: questions asked again, partitions started over.
    func tendMembership() {
        tendGeneration()
        if let at = membership.askAgainAtMilliseconds, at <= monotonic {
            askForStarts(membership.startRequestPartitions)
        }
        for intake in intakes.values where intake.needsRestart && intake.assembly.isEmpty && !intake.hasParked {
            guard delivery.isIdle(intake.partition) else { continue }
            intake.needsRestart = false
            perform(delivery.handle(.lost(partitions: [intake.partition]), nowMilliseconds: monotonic))
            intakes[intake.partition] = nil
            membership.startingOver.insert(intake.partition)
            membership.startOverAtMilliseconds = monotonic
        }
        lookAtStopped()
        guard let at = membership.startOverAtMilliseconds, at <= monotonic else { return }
        let ours = membership.startingOver.intersection(membership.assigned)
        if ours.isEmpty {
            membership.startOverAtMilliseconds = nil
            membership.startingOver = []
        } else if consumer.isRebalancePending || membership.isStartRequestOpen {
            membership.startOverAtMilliseconds = monotonic + PipelineLimits.retryMilliseconds
        } else {
            membership.startOverAtMilliseconds = nil
            membership.startingOver = []
            askForStarts(ours.sorted())
        }
    }

    /// A person may have accepted an offset for a partition that stands still, or mended what was wrong.
    private func lookAtStopped() {
        guard !membership.stopped.isEmpty, membership.assigning == nil, membership.revoking == nil,
            !membership.isStartRequestOpen, membership.askAgainAtMilliseconds == nil,
            membership.startOverAtMilliseconds == nil, !consumer.isRebalancePending, stopping == nil,
            monotonic >= membership.nextLookAtStoppedMilliseconds
        else { return }
        membership.nextLookAtStoppedMilliseconds = monotonic + PipelineLimits.stoppedLookMilliseconds
        askForStarts(membership.stopped.keys.sorted())
    }
}
