import Glibc
import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router send`: a producer of sample events, good and bad, or of given lines.
public struct Sender {
    /// How many events are sent when nobody says how many.
    public static let defaultCount = 10_000

    private let settings: Settings
    private let log: Logger

    public init(settings: Settings, log: Logger) {
        self.settings = settings
        self.log = log
    }

    /// Sends, and waits until Kafka has said of each record what became of it.
    ///
    /// - Parameter progress: called now and then with what is acknowledged and what fails.
    /// - Throws: when nothing could be sent, or sending had to stop. Records that Kafka refused are in the report.
    public func send(_ options: SendOptions, progress: @escaping (_ acknowledged: Int, _ failed: Int) -> Void) throws
        -> SendReport
    {
        var report = SendReport(topic: settings.kafka.rawTopic)
        var source: any RecordSource
        switch options.source {
        case .samples(let sampleOptions):
            let samples = try SampleSource(sampleOptions, settings: settings, notes: &report.notes)
            source = samples
        case .lines(let path):
            source = try LineRecords(LineSource(path: path, maxLineBytes: settings.rawMessageBytes))
        }
        // The default's name cannot be misspelt: on a fresh cluster it is made, as `router run` would.
        if options.createsTopics || SettingDescription.isDefault(settings.kafka.rawTopic, of: .kafkaRawTopic) {
            report.createdTopics = try TopicSetup.ensure(settings: settings, log: log)
        } else {
            _ = try RawTopic.existing(settings: settings, log: log)
        }
        let producer = try SendProducer(settings: settings, log: log)
        let start = Self.nowMilliseconds()
        let shown = Progress(progress, producer)
        var sent = 0
        let limit = options.count ?? .max
        do {
            while sent < limit, try source.sendNext(to: producer) {
                sent += 1
                if let rate = options.rate { Self.keep(rate, sent: sent, since: start, producer, shown) }
                if sent % 4096 == 0 { shown.tell() }
            }
        } catch let error as KafkaError {
            producer.finish { shown.tell() }
            throw OperationError(
                "kafka_send_failed",
                "sending to \(settings.kafka.rawTopic) stopped after \(producer.acknowledgedCount) acknowledged events: "
                    + "\(error)", isRetriable: error.isRetriable)
        }
        producer.finish { shown.tell() }
        report.seconds = Double(Self.nowMilliseconds() - start) / 1000
        source.describe(producer.acknowledged, in: &report)
        report.sent = producer.acknowledgedCount
        report.failed = producer.failed
        report.firstFailure = producer.firstFailure?.description
        return report
    }

    /// Waits until it is time for the next event; reports are taken meanwhile.
    private static func keep(
        _ rate: Double, sent: Int, since start: Int, _ producer: SendProducer, _ shown: Progress
    ) {
        let due = start + Int(Double(sent) / rate * 1000)
        while true {
            let early = due - nowMilliseconds()
            guard early > 0 else { return }
            producer.wait(milliseconds: min(early, 100))
            shown.tell()
        }
    }

    /// Milliseconds of a clock that never goes back.
    static func nowMilliseconds() -> Int { milliseconds(CLOCK_MONOTONIC) }

    static func wallMilliseconds() -> Int { milliseconds(CLOCK_REALTIME) }

    private static func milliseconds(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}

/// Tells how far it is, a few times a second.
private final class Progress {
    private static let everyMilliseconds = 200

    private let tellCount: (Int, Int) -> Void
    private let producer: SendProducer
    private var last = 0

    init(_ tell: @escaping (Int, Int) -> Void, _ producer: SendProducer) {
        tellCount = tell
        self.producer = producer
    }

    func tell() {
        let now = Sender.nowMilliseconds()
        guard now - last >= Self.everyMilliseconds else { return }
        last = now
        tellCount(producer.acknowledgedCount, producer.failed)
    }
}

/// Where records come from.
protocol RecordSource {
    /// - Returns: false when there are no more.
    mutating func sendNext(to producer: SendProducer) throws -> Bool
    /// Says what the tickets of the acknowledged records mean.
    func describe(_ acknowledged: [UInt64: Int], in report: inout SendReport)
}

/// Lines as they are: no key, no headers.
final class LineRecords: RecordSource {
    private var lines: LineSource

    init(_ lines: consuming LineSource) { self.lines = lines }

    func sendNext(to producer: SendProducer) throws -> Bool {
        guard let line = try lines.next() else { return false }
        try line.withUnsafeBytes { try producer.send(key: nil, value: $0, headers: [], ticket: 0) }
        return true
    }

    func describe(_ acknowledged: [UInt64: Int], in report: inout SendReport) {
        report.byKind = ["line": acknowledged.values.reduce(0, +)]
    }
}
