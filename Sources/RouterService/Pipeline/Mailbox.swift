import KafkaClient
import RouterCore
import RouterDatabase
import Synchronization

/// What other threads tell the pipeline's thread.
enum PipelineMessage: Sendable {
    /// ClickHouse, or whoever was asked, has answered.
    case delivery(DeliveryEvent)
    case insertAnswered(ticket: UInt64, answer: InsertAnswer, durationMilliseconds: Int64)
    case clients(ClientSourceEvent)
    /// Where partitions start, asked for by the membership of that number.
    case starts(request: UInt64, Result<[PartitionStart], StartFailure>)
    /// The round trip of the committed metadata: whether the broker keeps the string.
    case metadataKept(Bool)
    /// For `--until-caught-up`: what the group has committed for partitions of other members.
    case committedElsewhere([Int32: Int64])
    /// Whether the broker answers; the error's text when it does not.
    case kafkaProbed(String?)
    /// What an operator holds back.
    case pauses(Pauses)
    case stop
}

/// Where a partition starts, and what the broker says of its log.
struct PartitionStart: Sendable {
    var partition: Int32
    var decision: StartDecision
    var low: Int64
    var high: Int64
    /// What a person accepted and this start has taken.
    var acceptance: OffsetAcceptance?
}

struct StartFailure: Error {
    var message: String
}

/// Messages for the pipeline's thread, which wakes up for them.
final class Mailbox: Sendable {
    let wake: WakeDescriptor
    private let messages = Mutex<[PipelineMessage]>([])

    init(wake: WakeDescriptor) {
        self.wake = wake
    }

    func post(_ message: PipelineMessage) {
        messages.withLock { $0.append(message) }
        wake.signal()
    }

    func take() -> [PipelineMessage] {
        messages.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
