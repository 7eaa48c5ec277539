import KafkaClient
import Logging
import RouterCore

/// Records that have to be read a second time: a batch to be redone, and rows whose originals become dead letters.
/// One range at a time, beside normal work.
final class RangeJobs {
    enum Job {
        case redo(ticket: UInt64, batch: UUID128, lo: Int64, hi: Int64)
        case deadLetters(ticket: UInt64, batch: UUID128, client: ClientID, refusals: [Int64: Refusal])

        var batch: UUID128 {
            switch self {
            case .redo(_, let batch, _, _): batch
            case .deadLetters(_, let batch, _, _): batch
            }
        }
    }

    enum Outcome {
        case redone(ticket: UInt64, batch: UUID128, partition: Int32, lo: Int64, hi: Int64, BatchAssembly)
        case collected(ticket: UInt64, [DeadLetter])
    }

    private struct Waiting {
        var job: Job
        var partition: Int32
        var from: Int64
        var to: Int64
        var notBeforeMilliseconds: Int64 = 0
    }

    private let reader: KafkaRangeReader
    private let topic: String
    private let log: Logger
    private var queue: [Waiting] = []
    private var current: Waiting?
    private var assembly = BatchAssembly()
    private var letters: [DeadLetter] = []
    private let batch = KafkaRecordBatch(capacity: 512)
    private var nextRecord = 0
    /// What was read behind a record that waits for its client, and this record.
    private var parked = ParkedRecords()
    private var pendingEvents: [KafkaRangeEvent] = []

    private static let retryMilliseconds: Int64 = 1_000

    init(reader: KafkaRangeReader, topic: String, log: Logger) {
        self.reader = reader
        self.topic = topic
        self.log = log
    }

    var bytes: Int { assembly.bytes + parked.bytes }

    func add(_ job: Job, partition: Int32, from: Int64, to: Int64) {
        queue.append(Waiting(job: job, partition: partition, from: from, to: to))
    }

    func cancel(batch id: UUID128) {
        queue.removeAll { $0.job.batch == id }
        if current?.job.batch == id { finish() }
    }

    /// Reads on. `busy` in the answer: there is more at hand.
    func turn(_ judge: inout RecordJudge, monotonic: Int64, wall: Int64) -> (outcomes: [Outcome], busy: Bool) {
        startNext(monotonic)
        guard let job = current else { return ([], false) }
        while let next = parked.first {
            guard take(next.record, job, &judge, monotonic, wall) else { return ([], false) }
            parked.removeFirst()
        }
        if nextRecord >= batch.count && pendingEvents.isEmpty {
            pendingEvents = reader.poll(into: batch)
            nextRecord = 0
        }
        while nextRecord < batch.count {
            guard take(batch[nextRecord], job, &judge, monotonic, wall) else {
                parkBatch()
                return ([], false)
            }
            nextRecord += 1
        }
        var outcomes: [Outcome] = []
        let events = pendingEvents
        pendingEvents = []
        for event in events {
            if let outcome = happened(event, job, monotonic) { outcomes.append(outcome) }
        }
        return (outcomes, batch.isFull || !events.isEmpty)
    }

    /// A batch that waits would keep all that its records were fetched with.
    private func parkBatch() {
        for index in nextRecord..<batch.count { parked.append(batch[index]) }
        batch.removeAll()
        nextRecord = 0
    }

    private func startNext(_ now: Int64) {
        guard current == nil, let index = queue.firstIndex(where: { $0.notBeforeMilliseconds <= now }) else { return }
        let next = queue.remove(at: index)
        do {
            try reader.start(TopicPartition(topic: topic, partition: next.partition), from: next.from, to: next.to)
            current = next
            assembly = BatchAssembly()
            letters = []
        } catch {
            tryAgain(next, error, now)
        }
    }

    var nextDeadlineMilliseconds: Int64? {
        current == nil ? queue.map(\.notBeforeMilliseconds).min() : nil
    }

    private func take(
        _ record: KafkaRecord, _ job: Waiting, _ judge: inout RecordJudge, _ monotonic: Int64, _ wall: Int64
    ) -> Bool {
        switch job.job {
        case .redo:
            return judge.judge(record, into: assembly, monotonic: monotonic, wall: wall)
        case .deadLetters(_, _, let client, let refusals):
            if let refusal = refusals[record.offset] {
                letters.append(RecordJudge.deadLetter(record, topic, refusal, client: client))
            }
            return true
        }
    }

    private func happened(_ event: KafkaRangeEvent, _ job: Waiting, _ now: Int64) -> Outcome? {
        switch event {
        case .finished:
            defer { finish() }
            switch job.job {
            case .redo(let ticket, let batch, let lo, let hi):
                return .redone(ticket: ticket, batch: batch, partition: job.partition, lo: lo, hi: hi, assembly)
            case .deadLetters(let ticket, _, _, let refusals):
                if letters.count < refusals.count {
                    log.error(
                        "records are gone from the topic before they could become dead letters",
                        metadata: [
                            "topic": "\(topic)", "partition": "\(job.partition)",
                            "lost": "\(refusals.count - letters.count)",
                        ])
                }
                return .collected(ticket: ticket, letters)
            }
        case .gap(let from, let to):
            log.error(
                "records of a batch to be read again are below the log's start",
                metadata: [
                    "topic": "\(topic)", "partition": "\(job.partition)", "from": "\(from)", "to": "\(to)",
                ])
        case .endOfLog(let at):
            log.warning(
                "the log ends inside a batch to be read again, waiting",
                metadata: ["partition": "\(job.partition)", "end": "\(at)", "hi": "\(job.to)"])
        case .failed(let error):
            finish()
            tryAgain(job, error, now)
        }
        return nil
    }

    private func tryAgain(_ job: Waiting, _ error: KafkaError, _ now: Int64) {
        log.warning(
            "cannot read records again, trying once more",
            metadata: ["partition": "\(job.partition)", "from": "\(job.from)", "error": "\(error)"])
        var again = job
        again.notBeforeMilliseconds = now + Self.retryMilliseconds
        queue.append(again)
    }

    private func finish() {
        reader.stop()
        current = nil
        batch.removeAll()
        nextRecord = 0
        parked = ParkedRecords()
        pendingEvents = []
    }
}
