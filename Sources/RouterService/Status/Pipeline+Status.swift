import KafkaClient
import RouterCore
import RouterDatabase

// What other threads may know of the pipeline, written down a few times a second.
extension Pipeline {
    func publishStatus(phase: String) {
        let partitions = (intakes.values.map(status).sorted { $0.partition < $1.partition } + stoppedPartitions).map {
            board.lag.completed($0, monotonicMilliseconds: monotonic, wallMilliseconds: wall)
        }
        let bytes = bufferedBytes
        metrics.bufferedBytes.record(bytes)
        metrics.pausedPartitions.record(pausedPartitionCount)
        metrics.stoppedPartitions.record(membership.stopped.count)
        for partition in partitions { metrics.lag.record(partition, topic: topic) }
        let circuits = delivery.openCircuits.map(circuit).sorted { $0.client_id < $1.client_id }
        let paused = Dictionary(
            uniqueKeysWithValues: pauses.clients.map { ($0.key.description, ServiceStatus.Pause($0.value)) })
        let (hits, misses) = (judge.directory.hits, judge.directory.misses)
        board.update { status in
            status.directory_hits = hits
            status.directory_misses = misses
            status.phase = phase
            status.partitions = partitions
            status.consumed = counts.consumed
            status.delivered = counts.delivered
            status.dead_lettered = Dictionary(
                uniqueKeysWithValues: counts.deadLettered.map { ($0.key.rawValue, $0.value) })
            status.buffered_bytes = bytes
            status.clickhouse_away = delivery.serverFault != nil
            status.clickhouse_error = delivery.serverFault?.explanation
            status.write_probe_missing = delivery.isWriteProbeMissing
            // What an operator holds back stands still on purpose.
            status.stalled = partitions.contains { $0.stalled_seconds > 0 && $0.pause == nil }
            status.postgres_error = counts.postgresError
            status.kafka_error = counts.kafkaError
            status.open_circuits = circuits
            status.paused_clients = paused
            status.exactly_once = counts.keepsMetadata
            status.lost_to_retention = counts.lostToRetention
        }
    }

    private func circuit(_ circuit: OpenCircuit) -> ServiceStatus.Circuit {
        ServiceStatus.Circuit(
            client_id: circuit.client.description, detail: databases[circuit.client] ?? "",
            state: circuit.isHalfOpen ? "half_open" : "open",
            since: Timestamp.rfc3339(circuitsOpenedAt[circuit.client] ?? wall),
            opened_count: circuit.openedCount, message: circuit.message)
    }

    /// RFC 3339 of a moment of the monotonic clock.
    private func wallText(_ moment: Int64) -> String { Timestamp.rfc3339(wall - (monotonic - moment)) }

    /// One past the log's last offset, as far as it is known: by what was fetched, and by the broker's own word.
    func highWatermark(_ intake: PartitionIntake) -> Int64 {
        let fetched = consumer.queries.lastKnownHigh(TopicPartition(topic: topic, partition: intake.partition))
        return max(fetched ?? intake.highAtStart, board.lag[intake.partition]?.high ?? 0, intake.position)
    }

    private func status(_ intake: PartitionIntake) -> ServiceStatus.Partition {
        let partition = intake.partition
        let committed = delivery.committedOffset(partition) ?? intake.lo
        let high = highWatermark(intake)
        let progress = watch.progress(partition, nowMilliseconds: monotonic)
        return ServiceStatus.Partition(
            partition: partition, committed_offset: committed, high_watermark: high, lag: max(0, high - committed),
            outstanding_batches: delivery.outstandingBatchCount(partition), is_paused: intake.isPaused, stopped: nil,
            pause: pauses.partitions[partition].map(ServiceStatus.Pause.init),
            waiting_for: progress?.waitingFor?.rawValue,
            stalled_seconds: Double(progress?.stalledMilliseconds ?? 0) / 1000,
            last_moved_at: progress.map { wallText($0.movedAtMilliseconds) })
    }

    private var stoppedPartitions: [ServiceStatus.Partition] {
        membership.stopped.map {
            ServiceStatus.Partition(
                partition: $0.key, committed_offset: -1, high_watermark: nil, lag: nil, outstanding_batches: 0,
                is_paused: true, stopped: $0.value, pause: nil, waiting_for: WaitReason.person.rawValue)
        }.sorted { $0.partition < $1.partition }
    }
}

extension ServiceStatus.Pause {
    init(_ pause: Pause) {
        self.init(by: pause.by, at: pause.at, reason: pause.reason)
    }
}
