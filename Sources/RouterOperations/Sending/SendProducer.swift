import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections

/// Hands records to Kafka and counts what became of each. One thread owns it.
final class SendProducer {
    /// What waits in the producer at most: enough to fill a second of the fastest sending, far below a process's memory.
    private static let queueMessages = 500_000
    private static let queueKilobytes = 128 * 1024
    /// Full requests are worth the wait where nobody waits for a single event.
    private static let lingerMilliseconds = 20
    private static let waitMilliseconds = 100
    /// Reports are taken in passing, every so many records.
    private static let pollEvery = 512

    private let topic: String
    private let producer: KafkaProducer
    private var sincePoll = 0

    /// Acknowledged and failed records, by the ticket that they were produced with.
    private(set) var acknowledged: [UInt64: Int] = [:]
    private(set) var failed = 0
    private(set) var firstFailure: KafkaError?
    var acknowledgedCount: Int { acknowledged.values.reduce(0, +) }

    init(settings: Settings, log: Logger) throws(KafkaError) {
        topic = settings.kafka.rawTopic
        let defaults: KafkaProperties = [
            "linger.ms": String(Self.lingerMilliseconds),
            "queue.buffering.max.messages": String(Self.queueMessages),
            "queue.buffering.max.kbytes": String(Self.queueKilobytes),
            "message.max.bytes": String(settings.rawMessageBytes),
        ]
        producer = try KafkaProducer(
            properties: defaults.merging(settings.kafkaProperties), wake: try WakeDescriptor(), log: log.kafkaLog)
    }

    /// Waits while the producer's queue is full.
    func send(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, headers: [KafkaHeader], ticket: UInt64
    ) throws(KafkaError) {
        while true {
            do throws(KafkaError) {
                try producer.produce(topic: topic, key: key, value: value, headers: headers, ticket: ticket)
                break
            } catch {
                if error.isQueueFull {
                    wait()
                } else if error.isMessageTooLarge {
                    // One record's own fault; the next one may fit.
                    note(error)
                    return
                } else {
                    throw error
                }
            }
        }
        sincePoll += 1
        if sincePoll >= Self.pollEvery { takeReports() }
    }

    /// Takes reports until the time is over, or there is nothing to wait for.
    func wait(milliseconds: Int = waitMilliseconds) {
        producer.wake.drain()
        takeReports()
        producer.wake.wait(timeoutMilliseconds: milliseconds)
        takeReports()
    }

    func takeReports() {
        sincePoll = 0
        for report in producer.poll() {
            if let error = report.error { note(error) } else { acknowledged[report.ticket, default: 0] += 1 }
        }
        for error in producer.takeErrors() where error.isFatal { firstFailure = firstFailure ?? error }
    }

    private func note(_ error: KafkaError) {
        failed += 1
        firstFailure = firstFailure ?? error
    }

    var outstanding: Int { producer.outstandingMessages }

    /// Waits for every report. Each comes by itself: librdkafka gives a message up after `message.timeout.ms`.
    func finish(progress: () -> Void) {
        while true {
            producer.flush(timeoutMilliseconds: Self.waitMilliseconds)
            takeReports()
            if producer.outstandingMessages == 0 { return }
            progress()
        }
    }
}
