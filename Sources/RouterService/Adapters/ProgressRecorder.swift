import Dispatch
import Logging
import OffsetStore
import PostgresClient
import RouterCore
import Synchronization

/// The tripwire in Postgres' `partition_progress`: that a partition was delivered up to some offset. It is never the
/// truth; it only tells a partition that was never read from one whose committed offset has vanished.
final class ProgressRecorder: Sendable {
    private struct State {
        var waiting: [Int32: Int64] = [:]
        var losses: [(partition: Int32, offsets: Range<Int64>)] = []
        var isScheduled = false
    }

    private let settings: PostgresSettings
    private let group: String
    private let topic: String
    private let log: Logger
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "router.progress")

    /// A tripwire need not be exact, and Postgres has other work.
    private static let delaySeconds = 2

    init(settings: PostgresSettings, group: String, topic: String, log: Logger) {
        self.settings = settings
        self.group = group
        self.topic = topic
        self.log = log
    }

    /// - Parameter offset: the last one that is delivered.
    func completed(partition: Int32, offset: Int64) {
        let mustSchedule = state.withLock { state in
            state.waiting[partition] = max(state.waiting[partition] ?? 0, offset)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if mustSchedule {
            queue.asyncAfter(deadline: .now() + .seconds(Self.delaySeconds)) { [self] in write() }
        }
    }

    /// Retention took these offsets before they were delivered. Written with the next progress.
    func lost(partition: Int32, offsets: [Range<Int64>]) {
        state.withLock { $0.losses += offsets.map { (partition, $0) } }
        queue.async { [self] in write() }
    }

    /// Writes what waits now: at the end of the service.
    func flush() {
        queue.sync { write() }
    }

    private func write() {
        let waiting = state.withLock { state in
            defer { state = State() }
            return state
        }
        guard !waiting.waiting.isEmpty || !waiting.losses.isEmpty else { return }
        do {
            let repository = try repository()
            for loss in waiting.losses { try repository.noteLoss(loss.partition, loss.offsets) }
            for (partition, offset) in waiting.waiting { try repository.raiseProgress(partition, to: offset) }
        } catch {
            // Postgres away is no reason to stop; the next completion writes again. A loss is noted once, and kept.
            state.withLock { $0.losses = Array((waiting.losses + $0.losses).prefix(Self.maxLosses)) }
            log.debug("cannot note the progress", metadata: ["error": "\(error)"])
        }
    }

    /// Kept while Postgres is away; a partition loses one range at a time, so this is far more than there can be.
    private static let maxLosses = 10_000

    // MARK: - What is asked at the start

    /// What Postgres knows of this group's offsets, over a connection of its own.
    func repository() throws -> OffsetRepository {
        OffsetRepository(try PostgresConnection(settings), group: group, topic: topic)
    }
}
