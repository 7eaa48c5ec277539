import Dispatch
import KafkaClient
import OffsetStore
import RouterCore
import Synchronization

/// Asks the broker, and Postgres' tripwire, where partitions start: questions that wait, on a queue of their own.
final class StartReader: Sendable {
    private let queries: KafkaQueries
    private let topic: String
    private let mailbox: Mailbox
    private let progress: ProgressRecorder
    private let queue = DispatchQueue(label: "router.starts")
    private let probes = DispatchQueue(label: "router.probes")
    private let isProbing = Atomic(false)

    /// Below the rebalance timeout, above what a coordinator needs to move.
    private static let timeoutMilliseconds = 10_000
    private static let probeTimeoutMilliseconds = 5_000

    init(queries: KafkaQueries, topic: String, mailbox: Mailbox, progress: ProgressRecorder) {
        self.queries = queries
        self.topic = topic
        self.mailbox = mailbox
        self.progress = progress
    }

    func read(_ partitions: [Int32], request: UInt64) {
        queue.async { [self] in
            mailbox.post(.starts(request: request, starts(of: partitions)))
        }
    }

    private func starts(of partitions: [Int32]) -> Result<[PartitionStart], StartFailure> {
        guard !partitions.isEmpty else { return .success([]) }
        do {
            let committed = try queries.committed(
                partitions.map { TopicPartition(topic: topic, partition: $0) },
                timeoutMilliseconds: Self.timeoutMilliseconds)
            // Only a partition without a committed offset needs the tripwire, so Postgres may be away otherwise.
            let remembered = committed.contains { $0.offset == nil } ? try progress.repository().progress() : [:]
            var starts: [PartitionStart] = []
            for entry in committed {
                if let error = entry.error { throw error }
                let (low, high) = try queries.watermarks(
                    entry.partition, timeoutMilliseconds: Self.timeoutMilliseconds)
                let found = entry.offset.map { ($0, entry.metadata) }
                let decision = StartDecision.decide(
                    committed: found, progressOffset: remembered[entry.partition.partition]?.offset, low: low,
                    high: high)
                let start = PartitionStart(
                    partition: entry.partition.partition, decision: decision, low: low, high: high)
                starts.append(accepted(start, committed: found) ?? start)
            }
            return .success(starts)
        } catch {
            return .failure(StartFailure(message: "\(error)"))
        }
    }

    /// A partition that would stand still, where a person has accepted an offset for just this situation.
    private func accepted(_ start: PartitionStart, committed: (offset: Int64, metadata: String?)?) -> PartitionStart? {
        guard case .stop(let reason) = start.decision else { return nil }
        do {
            let repository = try progress.repository()
            guard
                let waiting = try repository.acceptances().last(where: {
                    $0.acceptance.partition == start.partition && $0.takenAtMilliseconds == nil
                })?.acceptance
            else { return nil }
            let situation = OffsetSituation(
                committed: committed, progressOffset: try repository.progress()[start.partition]?.offset)
            var start = start
            if let found = waiting.start(in: situation, low: start.low, high: start.high), try repository.take(waiting)
            {
                start.decision = .takeOver(found.state, lost: found.lost)
                start.acceptance = waiting
            } else {
                start.decision = .stop(
                    reason: reason + ". What \(waiting.acceptedBy) accepted was for another situation: accept again")
            }
            return start
        } catch {
            // It stands still anyhow, and is asked about again soon.
            return nil
        }
    }

    /// What was taken has had no effect: the partition went to somebody else meanwhile.
    func giveBack(_ acceptances: [OffsetAcceptance]) {
        guard !acceptances.isEmpty else { return }
        queue.async { [self] in
            for acceptance in acceptances { try? progress.repository().giveBack(acceptance) }
        }
    }

    /// Reads back what was just committed: some brokers lose the string.
    func checkMetadata(_ partition: Int32) {
        queue.async { [self] in
            let target = TopicPartition(topic: topic, partition: partition)
            guard let answer = try? queries.committed([target], timeoutMilliseconds: Self.timeoutMilliseconds).first,
                answer.error == nil, answer.offset != nil
            else { return }
            mailbox.post(.metadataKept(answer.metadata?.hasPrefix("v1") == true))
        }
    }

    /// Whether the leader of some partition answers. One question at a time: a broker that hangs must not pile them up.
    func probe() {
        guard !isProbing.exchange(true, ordering: .relaxed) else { return }
        probes.async { [self] in
            var problem: String?
            do {
                _ = try queries.watermarks(
                    TopicPartition(topic: topic, partition: 0), timeoutMilliseconds: Self.probeTimeoutMilliseconds)
            } catch {
                problem = "\(error)"
            }
            isProbing.store(false, ordering: .relaxed)
            mailbox.post(.kafkaProbed(problem))
        }
    }

    /// What the group has committed for partitions of other members; one with batches under way counts as not there yet.
    func readCommitted(_ partitions: [Int32]) {
        queue.async { [self] in
            let targets = partitions.map { TopicPartition(topic: topic, partition: $0) }
            guard let answers = try? queries.committed(targets, timeoutMilliseconds: Self.timeoutMilliseconds) else {
                return
            }
            var offsets: [Int32: Int64] = [:]
            for answer in answers { offsets[answer.partition.partition] = answer.offset }
            mailbox.post(.committedElsewhere(offsets))
        }
    }
}
