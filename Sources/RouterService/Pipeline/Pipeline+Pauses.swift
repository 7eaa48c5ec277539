import Logging
import RouterCore
import RouterDatabase

// What an operator holds back: `mustPause` keeps a paused partition from being read, `judge` turns a paused client's
// events into dead letters that can be replayed.
extension Pipeline {
    func heard(_ new: Pauses) {
        guard new != pauses else { return }
        for (partition, pause) in new.partitions where pauses.partitions[partition] == nil {
            log.notice("a partition is paused", metadata: Self.words(pause, "partition", "\(partition)"))
        }
        for (partition, pause) in pauses.partitions where new.partitions[partition] == nil {
            log.notice("a partition is resumed", metadata: Self.words(pause, "partition", "\(partition)"))
        }
        for (client, pause) in new.clients where pauses.clients[client] == nil {
            log.notice(
                "a client is paused, its events become dead letters", metadata: Self.words(pause, "client", "\(client)")
            )
        }
        for (client, pause) in pauses.clients where new.clients[client] == nil {
            log.notice("a client is resumed", metadata: Self.words(pause, "client", "\(client)"))
        }
        pauses = new
        judge.pausedClients = new.clients.mapValues { "the client was paused: \($0.reason)" }
    }

    private static func words(_ pause: Pause, _ name: String, _ subject: String) -> Logger.Metadata {
        [name: "\(subject)", "by": "\(pause.by)", "at": "\(pause.at)", "reason": "\(pause.reason)"]
    }

    /// A partition that is held back is never caught up.
    func failIfPausedBehind(_ targets: [Int32: Int64]) {
        for (partition, pause) in pauses.partitions.sorted(by: { $0.key < $1.key }) {
            guard fatalError == nil, let intake = intakes[partition], let target = targets[partition],
                max(intake.position, intake.endOfLog) < target
            else { continue }
            fatalError = ServiceError(
                "cannot catch up: partition \(partition) of \(topic) is paused (by \(pause.by) at \(pause.at): "
                    + "\(pause.reason)); end it with `router resume --partition \(partition)`")
        }
    }
}
