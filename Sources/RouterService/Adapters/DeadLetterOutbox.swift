import KafkaClient
import Logging
import RouterCore

/// Sends dead letters to Kafka and says when a whole group of them is acknowledged. It never gives one up: a refusal by
/// the broker is tried again, and a value too large for the topic goes without its value.
final class DeadLetterOutbox {
    /// Which answer the delivery machine waits for.
    enum Group: Hashable {
        case batch(ticket: UInt64, UUID128)
        case rows(ticket: UInt64)
    }

    private struct Waiting {
        var letter: DeadLetter
        var group: UInt64
        var withoutValue = false
    }

    private let producer: KafkaProducer
    private let topic: String
    private let connector: String
    private let log: Logger

    private var groups: [UInt64: (group: Group, left: Int)] = [:]
    private var underWay: [UInt64: Waiting] = [:]
    /// To be produced: new ones, and those whose time to be tried again has come.
    private var waiting: [Waiting] = []
    private var retries: [(atMilliseconds: Int64, Waiting)] = []
    private var lastTicket: UInt64 = 0
    private(set) var bytes = 0
    private(set) var sentCount: [DeadLetterReason: Int] = [:]
    private(set) var fatalError: KafkaError?

    /// Long enough that a broker in trouble is not flooded, short enough to notice that it is well.
    private static let retryMilliseconds: Int64 = 500

    init(producer: KafkaProducer, topic: String, connector: String, log: Logger) {
        self.producer = producer
        self.topic = topic
        self.connector = connector
        self.log = log
    }

    var isIdle: Bool { groups.isEmpty }

    func send(_ letters: [DeadLetter], as group: Group) {
        lastTicket += 1
        groups[lastTicket] = (group, letters.count)
        for letter in letters {
            waiting.append(Waiting(letter: letter, group: lastTicket))
            bytes += letter.bodyBytes
        }
    }

    /// Produces what waits, takes the reports, and returns the groups that are complete.
    func turn(nowMilliseconds: Int64, failedAt: () -> String) -> [Group] {
        retryWhatIsDue(nowMilliseconds)
        produceWaiting(failedAt, nowMilliseconds)
        var complete: [Group] = []
        for report in producer.poll() {
            guard let letter = underWay.removeValue(forKey: report.ticket) else { continue }
            if let error = report.error {
                retry(letter, error, nowMilliseconds)
            } else if let group = settled(letter) {
                complete.append(group)
            }
        }
        for error in producer.takeErrors() {
            if error.isFatal { fatalError = error }
            log.warning("dead-letter producer", metadata: ["error": "\(error)"])
        }
        // A group without letters (every record of it is gone from the log) is complete at once.
        for (number, group) in groups where group.left == 0 {
            groups[number] = nil
            complete.append(group.group)
        }
        return complete
    }

    var nextDeadlineMilliseconds: Int64? { retries.map(\.atMilliseconds).min() }

    private func retryWhatIsDue(_ now: Int64) {
        guard retries.contains(where: { $0.atMilliseconds <= now }) else { return }
        waiting += retries.filter { $0.atMilliseconds <= now }.map(\.1)
        retries.removeAll { $0.atMilliseconds <= now }
    }

    private func produceWaiting(_ failedAt: () -> String, _ now: Int64) {
        guard !waiting.isEmpty else { return }
        let time = failedAt()
        var next = 0
        while next < waiting.count {
            let item = waiting[next]
            lastTicket += 1
            do {
                try produce(item, time, ticket: lastTicket)
                underWay[lastTicket] = item
            } catch  where error.isQueueFull {
                break
            } catch {
                retry(item, error, now)
            }
            next += 1
        }
        waiting.removeFirst(next)
    }

    private func produce(_ item: Waiting, _ failedAt: String, ticket: UInt64) throws(KafkaError) {
        var headers = item.letter.allHeaders(failedAt: failedAt, connector: connector).map {
            KafkaHeader(name: $0.name, value: $0.value)
        }
        if item.withoutValue, let value = item.letter.value {
            headers.append(KafkaHeader(DeadLetterHeader.valueBytes, String(value.count)))
            headers.append(
                KafkaHeader(DeadLetterHeader.valueSHA256, value.withUnsafeBytes { KeyHash.sha256(of: $0).hex }))
        }
        try producer.produce(
            topic: topic, key: item.letter.key, value: item.withoutValue ? nil : item.letter.value, headers: headers,
            ticket: ticket)
    }

    private func retry(_ item: Waiting, _ error: KafkaError, _ now: Int64) {
        var item = item
        if error.isMessageTooLarge && !item.withoutValue && item.letter.value != nil {
            item.withoutValue = true
            waiting.append(item)
            log.warning(
                "dead letter is too large for its topic and goes without its value",
                metadata: ["origin": "\(item.letter.origin.place)", "bytes": "\(item.letter.value?.count ?? 0)"])
            return
        }
        log.warning(
            "dead letter was not accepted, trying again",
            metadata: ["origin": "\(item.letter.origin.place)", "error": "\(error)"])
        retries.append((now + Self.retryMilliseconds, item))
    }

    private func settled(_ item: Waiting) -> Group? {
        bytes -= item.letter.bodyBytes
        sentCount[item.letter.refusal.reason, default: 0] += 1
        groups[item.group]?.left -= 1
        guard let group = groups[item.group], group.left == 0 else { return nil }
        groups[item.group] = nil
        return group.group
    }
}

extension RecordOrigin {
    var place: String { "\(topic)/\(partition)/\(offset)" }
}
