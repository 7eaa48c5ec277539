import KafkaClient
import Logging
import RouterCore

/// Hands dead letters to Kafka and its answers to `DeadLetterQueue`, which decides what goes again, and in which form.
final class DeadLetterOutbox {
    /// Which answer the delivery machine waits for.
    enum Group: Hashable {
        case batch(ticket: UInt64, UUID128)
        case rows(ticket: UInt64)
    }

    private let producer: KafkaProducer
    private let topic: String
    private let connector: String
    private let log: Logger

    private var queue = DeadLetterQueue<Group>()
    private(set) var sentCount: [DeadLetterReason: Int] = [:]
    private(set) var fatalError: KafkaError?

    init(producer: KafkaProducer, topic: String, connector: String, log: Logger) {
        self.producer = producer
        self.topic = topic
        self.connector = connector
        self.log = log
    }

    var isIdle: Bool { queue.isIdle }
    var bytes: Int { queue.bytes }
    var nextDeadlineMilliseconds: Int64? { queue.nextDeadlineMilliseconds }

    func send(_ letters: [DeadLetter], as group: Group, isLast: Bool = true) {
        queue.send(letters, as: group, isLast: isLast)
    }

    func abandon(_ group: Group) { queue.abandon(group) }

    /// Produces what waits, takes the reports, and returns the groups that are complete.
    func turn(nowMilliseconds: Int64, failedAt: () -> String) -> [Group] {
        produceWaiting(failedAt, nowMilliseconds)
        for report in producer.poll() { answered(report.ticket, report.error, nowMilliseconds) }
        for error in producer.takeErrors() {
            if error.isFatal { fatalError = error }
            log.warning("dead-letter producer", metadata: ["error": "\(error)"])
        }
        return queue.takeComplete()
    }

    private func produceWaiting(_ failedAt: () -> String, _ now: Int64) {
        var time: String?
        while let (ticket, item) = queue.next(nowMilliseconds: now) {
            let failedAt = time ?? failedAt()
            time = failedAt
            do {
                try produce(item, failedAt, ticket: ticket)
            } catch  where error.isQueueFull {
                return queue.putBack(ticket)
            } catch {
                answered(ticket, error, now)
            }
        }
    }

    private func produce(
        _ item: DeadLetterQueue<Group>.Item, _ failedAt: String, ticket: UInt64
    ) throws(KafkaError) {
        let record = item.letter.record(in: item.form, failedAt: failedAt, connector: connector)
        try producer.produce(
            topic: topic, key: record.key, value: record.value,
            headers: record.headers.map { KafkaHeader(name: $0.name, value: $0.value) }, ticket: ticket)
    }

    private func answered(_ ticket: UInt64, _ error: KafkaError?, _ now: Int64) {
        let answer: DeadLetterQueue<Group>.Answer =
            error.map { $0.isMessageTooLarge ? .tooLarge : .failed } ?? .accepted
        switch queue.answered(ticket, answer, nowMilliseconds: now) {
        case .settled(let letter):
            sentCount[letter.refusal.reason, default: 0] += 1
        case .smaller(let item):
            log.warning(
                "dead letter is too large for its topic and goes with less of its record",
                metadata: [
                    "origin": "\(item.letter.origin.place)", "bytes": "\(item.letter.bodyBytes)",
                    "form": "\(item.form)",
                ])
        case .again(let item):
            log.warning(
                "dead letter was not accepted, trying again",
                metadata: [
                    "origin": "\(item.letter.origin.place)", "error": "\(error.map { "\($0)" } ?? "")",
                ])
        case nil:
            break
        }
    }
}

extension RecordOrigin {
    var place: String { "\(topic)/\(partition)/\(offset)" }
}
