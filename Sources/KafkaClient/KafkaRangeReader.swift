import CRdkafka
import Dispatch
import Synchronization

/// What a range reader has to tell apart from records.
public enum KafkaRangeEvent: Equatable, Sendable {
    /// The position has passed the end of the range: there is nothing more to come.
    case finished
    /// Offsets [from, to) of the range are below the log's start and gone; reading goes on behind them.
    case gap(from: Int64, to: Int64)
    /// The log ends here, below the end of the range. The reader goes on waiting: after an election a new leader may
    /// tell an older end for a moment.
    case endOfLog(at: Int64)
    /// The range cannot be read on; the reader is idle again.
    case failed(KafkaError)
}

/// Reads one range [from, to) of a partition after the other, in no group, and commits nothing.
///
/// One thread owns and drives it, as a `KafkaConsumer`: `poll`, and wait on `wake`. Offsets may have holes
/// (compaction, transactions): a range ends when the position passes its end, which a record at or behind it shows,
/// or the end of the log.
public final class KafkaRangeReader {
    public let handle: KafkaHandle
    public let wake: WakeDescriptor

    private let inbox: Inbox
    private let queue: KafkaQueue
    private var range: Range?
    private let logStart = LogStartAnswer()

    struct Range {
        var partition: TopicPartition
        var next: Int64
        var end: Int64
        var isAskingLogStart = false
    }

    final class Inbox {
        var errors: [KafkaError] = []
    }

    /// Reads little ahead: what it fetches beyond a range is thrown away, and several readers and the consumer share
    /// one budget. 8 MiB is eight fetches of librdkafka's default of 1 MiB a partition.
    public static let defaultQueueKilobytes = 8 * 1024

    /// - Parameters:
    ///   - properties: as for the consumer; `group.id` is only a name here (needed by librdkafka, and by brokers that
    ///     check rights on it) and is made up when missing. `isolation.level` holds as given.
    ///   - queueKilobytes: bounds what librdkafka has read ahead.
    public init(
        properties: KafkaProperties, wake: WakeDescriptor, queueKilobytes: Int = defaultQueueKilobytes,
        log: @escaping KafkaLog
    ) throws(KafkaError) {
        let inbox = Inbox()
        let callbacks = KafkaCallbacks(log: log)
        callbacks.error = { inbox.errors.append($0) }
        var properties = properties
        properties["group.instance.id"] = nil
        properties["group.id"] = properties["group.id"] ?? "router-range-reader"
        properties["queued.max.messages.kbytes"] = String(queueKilobytes)
        properties["fetch.max.bytes"] = String(max(1, queueKilobytes) * 1024)
        // librdkafka refuses the whole set when one message's limit is above one fetch's.
        properties["message.max.bytes"] = String(min(Self.fetchBytes, max(1, queueKilobytes) * 1024))
        properties["fetch.message.max.bytes"] = String(min(Self.fetchBytes, max(1, queueKilobytes) * 1024))
        properties["enable.partition.eof"] = "true"
        handle = try KafkaHandle(
            .consumer, properties.merging(KafkaConsumer.forcedProperties), callbacks, wake: wake)
        rd_kafka_poll_set_consumer(handle.pointer)
        guard let queue = rd_kafka_queue_get_consumer(handle.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "cannot make the queue of a Kafka range reader")
        }
        self.queue = KafkaQueue(queue, of: handle, wake: wake)
        self.inbox = inbox
        self.wake = wake
    }

    /// One fetch of one partition; a record larger than it comes all the same (the broker sends at least one).
    static let fetchBytes = 1024 * 1024

    /// True when no range is being read, and `start` may be called.
    public var isIdle: Bool { range == nil }

    /// Begins with a range. An empty one is finished at the next poll.
    ///
    /// A topic that does not exist fails the range; of a partition that does not exist in a topic that does, librdkafka
    /// 2.0.2 says nothing, and the range waits (for partitions that may be added).
    public func start(_ partition: TopicPartition, from: Int64, to: Int64) throws(KafkaError) {
        guard isIdle, from >= 0 else {
            throw KafkaError(
                RD_KAFKA_RESP_ERR__STATE,
                isIdle ? "a range starts at 0 or above, not at \(from)" : "the range before is not finished")
        }
        if from < to { try assign(partition, at: from) }
        range = Range(partition: partition, next: from, end: to)
        wake.signal()
    }

    /// Gives the range up; records that were read ahead are thrown away.
    public func stop() {
        range = nil
        logStart.forget()
        // An error here means a handle with a fatal error, which fetches nothing anyway.
        _ = rd_kafka_assign(handle.pointer, nil)
    }

    private func assign(_ partition: TopicPartition, at offset: Int64) throws(KafkaError) {
        let list = PartitionList(capacity: 1)
        list.add(partition, offset: offset)
        if let error = KafkaError.unlessNone(
            list.lend { rd_kafka_assign(handle.pointer, $0) }, "cannot read \(partition) from \(offset)")
        {
            throw error
        }
    }

    /// Fills the batch, after emptying it, with records of the range at hand, and returns what happened after them.
    /// It does not wait. Poll again before waiting while the batch comes back full or there was an event.
    public func poll(into batch: KafkaRecordBatch) -> [KafkaRangeEvent] {
        batch.begin(handle)
        if let events = advanceWithoutRecords() { return events }
        while !batch.isFull, range != nil, let message = rd_kafka_consumer_poll(handle.pointer, 0) {
            if let event = accept(message, into: batch) { return [event] }
        }
        return takeFailure().map { [$0] } ?? []
    }

    /// Errors of the handle that end the range: fatal ones, and "topic [partition]: topic does not exist", which
    /// librdkafka reports through the handle though it is about the partition. Others are outages, which the range
    /// waits out.
    private func takeFailure() -> KafkaRangeEvent? {
        defer { inbox.errors.removeAll() }
        guard let range else { return nil }
        let mark = "\(range.partition.topic) [\(range.partition.partition)]"
        let failure = inbox.errors.first { error in
            error.isFatal
                || (error.isUnknownTopicOrPartition || error.isAuthorizationFailure) && error.message.contains(mark)
        }
        return failure.map(fail)
    }

    private func advanceWithoutRecords() -> [KafkaRangeEvent]? {
        guard let range else {
            // Also without a range the queue has to be served, or errors and logs pile up in it.
            if let message = rd_kafka_consumer_poll(handle.pointer, 0) { rd_kafka_message_destroy(message) }
            return []
        }
        if let failure = takeFailure() { return [failure] }
        if range.next >= range.end { return [finish()] }
        guard range.isAskingLogStart else { return nil }
        guard let answer = logStart.take() else { return [] }
        return goOn(range, answer).map { [$0] } ?? []
    }

    private func finish() -> KafkaRangeEvent {
        stop()
        return .finished
    }

    private func fail(_ error: KafkaError) -> KafkaRangeEvent {
        stop()
        return .failed(error)
    }

    /// Takes the message over.
    private func accept(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, into batch: KafkaRecordBatch
    ) -> KafkaRangeEvent? {
        guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            defer { rd_kafka_message_destroy(message) }
            return event(KafkaConsumer.event(message, of: handle))
        }
        let offset = message.pointee.offset
        guard let range, offset >= range.next else {
            rd_kafka_message_destroy(message)
            return nil
        }
        guard offset < range.end else {
            rd_kafka_message_destroy(message)
            return finish()
        }
        batch.append(message)
        self.range?.next = offset + 1
        return offset + 1 == range.end ? finish() : nil
    }

    private func event(_ event: KafkaConsumerEvent) -> KafkaRangeEvent? {
        guard let range else { return nil }
        switch event {
        case .endOfPartition(range.partition, let offset):
            self.range?.next = max(range.next, offset)
            return offset >= range.end ? finish() : .endOfLog(at: offset)
        case .partitionError(range.partition, let error) where error.isNoValidOffset:
            askLogStart(range)
            return nil
        case .partitionError(range.partition, let error):
            return error.isRetriable ? nil : fail(error)
        case .error(let error) where error.isFatal || error.isUnknownTopicOrPartition || error.isAuthorizationFailure:
            return fail(error)
        default:
            // Brokers away: librdkafka tries again, and so the range waits.
            return nil
        }
    }

    // MARK: Below the log's start

    /// The broker says only "out of range". Which side it is takes a request that waits, so another thread makes it.
    private func askLogStart(_ range: Range) {
        self.range?.isAskingLogStart = true
        let (queries, answer, wake) = (KafkaQueries(handle), logStart, wake)
        let question = answer.begin()
        DispatchQueue.global().async {
            do {
                let (low, high) = try queries.watermarks(
                    range.partition, timeoutMilliseconds: Self.logStartTimeoutMilliseconds)
                answer.give(.success((low, high)), to: question)
            } catch let error as KafkaError {
                answer.give(.failure(error), to: question)
            } catch {}
            wake.signal()
        }
    }

    /// Long enough for one failed leader; the range stays as it was and is tried again after it.
    static let logStartTimeoutMilliseconds = 10_000

    private func goOn(_ range: Range, _ answer: Result<(low: Int64, high: Int64), KafkaError>) -> KafkaRangeEvent? {
        self.range?.isAskingLogStart = false
        do throws(KafkaError) {
            let (low, high) = try answer.get()
            guard low > range.next || high >= range.next else {
                throw KafkaError(
                    RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
                    "\(range.partition) ends at \(high), below the offset \(range.next) that is to be read: "
                        + "the topic was made anew or cut")
            }
            let start = max(range.next, min(low, range.end))
            self.range?.next = start
            if start < range.end { try assign(range.partition, at: start) }
            // Equal: the range was inside of the log after all, by a leader that has caught up since. It is read again.
            return start > range.next ? .gap(from: range.next, to: start) : nil
        } catch {
            guard error.isRetriable else { return fail(error) }
            askLogStart(range)
            return nil
        }
    }
}

/// Carries the answer from the asking thread to the polling one. An answer to a question of an earlier range is
/// dropped.
final class LogStartAnswer: Sendable {
    typealias Answer = Result<(low: Int64, high: Int64), KafkaError>

    private struct State {
        var question = 0
        var answer: Answer?
    }

    private let state = Mutex(State())

    func begin() -> Int {
        state.withLock {
            $0.question += 1
            $0.answer = nil
            return $0.question
        }
    }

    func give(_ answer: Answer, to question: Int) {
        state.withLock { if $0.question == question { $0.answer = answer } }
    }

    func take() -> Answer? {
        state.withLock { state in
            defer { state.answer = nil }
            return state.answer
        }
    }

    func forget() { _ = begin() }
}
