import KafkaClient
import Logging
import RouterCore

/// Reads records a second time: a batch to be redone, and rows whose originals become dead letters. One range at a
/// time, beside normal work; `RereadQueue` says which.
final class RangeJobs {
    enum Outcome {
        case redone(ticket: UInt64, batch: UUID128, partition: Int32, lo: Int64, hi: Int64, BatchAssembly)
        /// Letters come in pieces, so that those of a large block are never all in memory.
        case collected(ticket: UInt64, [DeadLetter], isLast: Bool)
        /// Kafka has deleted these records before it was known that they were delivered.
        case lost(partition: Int32, [Range<Int64>])
        /// Nobody waits for these letters any more.
        case abandoned(ticket: UInt64)
    }

    private let reader: KafkaRangeReader
    private let topic: String
    private let log: Logger
    private var queue = RereadQueue()
    private var assembly = BatchAssembly()
    private var letters: [DeadLetter] = []
    private var letterBytes = 0
    /// One past the last offset that was looked at.
    private var position: Int64 = 0
    private var lost: [Range<Int64>] = []
    private let batch = KafkaRecordBatch(capacity: 512)
    private var nextRecord = 0
    /// What was read behind a record that waits for its client, and this record.
    private var parked = ParkedRecords()
    private var pendingEvents: [KafkaRangeEvent] = []
    private var cancelled: [Outcome] = []

    /// Dead letters are handed over in pieces of some such size …
    private static let pieceBytes = 1 << 20
    /// … and no more are read while so much waits for Kafka.
    private static let maxWaitingBytes = 8 << 20

    init(reader: KafkaRangeReader, topic: String, log: Logger) {
        self.reader = reader
        self.topic = topic
        self.log = log
    }

    /// Nothing is held but while a range is being read.
    var bytes: Int {
        queue.current == nil ? queue.bytes : queue.bytes + assembly.bytes + letterBytes + parked.bytes
    }

    func add(_ job: RereadQueue.Job, partition: Int32, from: Int64, to: Int64) {
        queue.add(job, partition: partition, from: from, to: to)
    }

    func cancel(batch id: UUID128) {
        let stopped = queue.cancel(batch: id)
        cancelled += stopped.letterTickets.map { .abandoned(ticket: $0) }
        guard stopped.isReading else { return }
        lost = []
        stopReading()
    }

    /// Reads on. `busy` in the answer: there is more at hand.
    ///
    /// - Parameters:
    ///   - mayRedo: there is memory for another batch.
    ///   - waitingBytes: what waits for Kafka to take it as dead letters.
    func turn(
        _ judge: inout RecordJudge, mayRedo: Bool, waitingBytes: Int, monotonic: Int64, wall: Int64
    ) -> (outcomes: [Outcome], busy: Bool) {
        var outcomes = cancelled
        cancelled = []
        if let next = queue.start(nowMilliseconds: monotonic, mayRedo: mayRedo) { begin(next, monotonic) }
        guard let range = queue.current else { return (outcomes, false) }
        if case .deadLetters = range.job, waitingBytes > Self.maxWaitingBytes { return (outcomes, false) }
        while let next = parked.first {
            guard take(next.record, range, &judge, monotonic, wall) else { return (outcomes, false) }
            parked.removeFirst()
        }
        if nextRecord >= batch.count && pendingEvents.isEmpty {
            pendingEvents = reader.poll(into: batch)
            nextRecord = 0
        }
        while nextRecord < batch.count {
            guard take(batch[nextRecord], range, &judge, monotonic, wall) else {
                parkBatch()
                return (outcomes, false)
            }
            nextRecord += 1
        }
        let events = pendingEvents
        let isFull = batch.isFull
        pendingEvents = []
        for event in events { happened(event, range, monotonic, &outcomes) }
        if letterBytes >= Self.pieceBytes { handOver(range.job.ticket, isLast: false, &outcomes) }
        return (outcomes, isFull || !events.isEmpty)
    }

    /// A batch that waits would keep all that its records were fetched with.
    private func parkBatch() {
        for index in nextRecord..<batch.count { parked.append(batch[index]) }
        batch.removeAll()
        nextRecord = 0
    }

    private func begin(_ next: RereadQueue.Range, _ now: Int64) {
        position = next.from
        do {
            try reader.start(TopicPartition(topic: topic, partition: next.partition), from: next.from, to: next.to)
        } catch {
            tryAgain(next, error, now)
        }
    }

    func nextDeadlineMilliseconds(after now: Int64) -> Int64? { queue.nextDeadlineMilliseconds(after: now) }

    private func take(
        _ record: KafkaRecord, _ range: RereadQueue.Range, _ judge: inout RecordJudge, _ monotonic: Int64,
        _ wall: Int64
    ) -> Bool {
        switch range.job {
        case .redo:
            guard judge.judge(record, into: assembly, monotonic: monotonic, wall: wall) else { return false }
        case .deadLetters(_, _, let client, let refusals):
            noteMissing(refusals, position..<max(position, record.offset))
            if let refusal = refusals[record.offset] {
                let letter = RecordJudge.deadLetter(record, topic, refusal, client: client)
                letters.append(letter)
                letterBytes += letter.bodyBytes
            }
        }
        position = record.offset + 1
        return true
    }

    /// Offsets of refused rows that Kafka did not give back: their records are gone.
    private func noteMissing(_ refusals: [Int64: Refusal], _ passed: Range<Int64>) {
        guard !passed.isEmpty else { return }
        // A hole may be far wider than there are refusals.
        let missing =
            passed.count > refusals.count
            ? refusals.keys.filter(passed.contains).sorted() : passed.filter { refusals[$0] != nil }
        for offset in missing {
            if let last = lost.last, last.upperBound == offset {
                lost[lost.count - 1] = last.lowerBound..<offset + 1
            } else {
                lost.append(offset..<offset + 1)
            }
        }
    }

    private func happened(
        _ event: KafkaRangeEvent, _ range: RereadQueue.Range, _ now: Int64, _ outcomes: inout [Outcome]
    ) {
        switch event {
        case .finished:
            switch range.job {
            case .redo(let ticket, let batch, let lo, let hi):
                outcomes.append(
                    .redone(ticket: ticket, batch: batch, partition: range.partition, lo: lo, hi: hi, assembly))
            case .deadLetters(let ticket, _, _, let refusals):
                noteMissing(refusals, position..<max(position, range.to))
                handOver(ticket, isLast: true, &outcomes)
            }
            if !lost.isEmpty { outcomes.append(.lost(partition: range.partition, lost)) }
            lost = []
            queue.finished()
            stopReading()
        case .gap(let from, let to):
            // Of refused rows each is named; of a batch it is not known which were delivered before.
            if case .redo = range.job { lost.append(from..<min(to, range.to)) }
        case .endOfLog(let at):
            log.warning(
                "the log ends inside a batch to be read again, waiting",
                metadata: ["partition": "\(range.partition)", "end": "\(at)", "hi": "\(range.to)"])
        case .failed(let error):
            handOver(range.job.ticket, isLast: false, &outcomes)
            tryAgain(range, error, now)
        }
    }

    private func handOver(_ ticket: UInt64, isLast: Bool, _ outcomes: inout [Outcome]) {
        guard isLast || !letters.isEmpty else { return }
        outcomes.append(.collected(ticket: ticket, letters, isLast: isLast))
        letters = []
        letterBytes = 0
    }

    private func tryAgain(_ range: RereadQueue.Range, _ error: KafkaError, _ now: Int64) {
        log.warning(
            "cannot read records again, trying once more",
            metadata: ["partition": "\(range.partition)", "from": "\(range.from)", "error": "\(error)"])
        // What was handed over is not read again; half a batch is of no use.
        if case .deadLetters = range.job {
            queue.failed(from: position, nowMilliseconds: now)
        } else {
            queue.failed(from: nil, nowMilliseconds: now)
            lost = []
        }
        stopReading()
    }

    private func stopReading() {
        reader.stop()
        assembly = BatchAssembly()
        letters = []
        letterBytes = 0
        batch.removeAll()
        nextRecord = 0
        parked = ParkedRecords()
        pendingEvents = []
    }
}
