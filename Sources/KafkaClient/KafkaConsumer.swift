import CRdkafka

/// A member of a consumer group under `cooperative-sticky`, with offsets committed by its owner only.
///
/// One thread owns it and drives it: `poll`, then `takeEvents`, then answer. None of the calls waits for a broker;
/// those that do are in `queries`, which any thread may use. Rebalances are events and not callbacks, so the owner
/// may finish what it holds before it answers one. librdkafka 2.0.2 allows that: the rebalance callback only hands
/// the partitions over, and the group stays in the state WAIT_ASSIGN_CALL or WAIT_UNASSIGN_CALL until
/// `rd_kafka_incremental_assign` or `_unassign` is called, which "may also be used outside the context of a rebalance
/// callback". Meanwhile it heartbeats, commits, and pauses all partitions by itself. The coordinator waits for
/// `max.poll.interval.ms` (its rebalance timeout) before it gives the member up.
public final class KafkaConsumer {
    public let handle: KafkaHandle
    /// Blocking questions, for any thread.
    public let queries: KafkaQueries
    public let wake: WakeDescriptor

    let inbox: Inbox
    private let joining: JoinWatch
    private let consumerQueue: KafkaQueue
    let replies: KafkaQueue
    private var positions = DeliveredPositions()
    private var paused: Set<TopicPartition> = []
    /// Set by `close`.
    var isClosed = false

    /// Events as the callbacks and polls put them down. Touched by the owning thread only.
    final class Inbox {
        var events: [KafkaConsumerEvent] = []
        var pending: PendingRebalance?
        var wasAssigned = false
    }

    enum PendingRebalance {
        case assign([TopicPartition])
        case revoke([TopicPartition])
    }

    /// What delivery depends on, set over whatever the owner gives.
    static let forcedProperties: KafkaProperties = [
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "statistics.interval.ms": "0",
        "log.queue": "false",
    ]

    /// - Parameters:
    ///   - properties: `bootstrap.servers` and `group.id` at least. Bound the memory with `queued.max.messages.kbytes`
    ///     together with `fetch.max.bytes`: librdkafka stops fetching when its queue has the former, and what is then
    ///     under way still arrives.
    ///   - wake: signalled when there is something to poll for.
    ///   - log: librdkafka's log lines.
    public init(properties: KafkaProperties, wake: WakeDescriptor, log: @escaping KafkaLog) throws(KafkaError) {
        guard properties["group.id"]?.isEmpty == false else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "a Kafka consumer needs the property 'group.id'")
        }
        let inbox = Inbox()
        let callbacks = KafkaCallbacks(log: log)
        callbacks.error = { inbox.events.append(.error($0)) }
        callbacks.rebalance = { code, list, isLost in
            let partitions = list?.pointee.buffer.map(\.topicPartition) ?? []
            if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
                inbox.wasAssigned = true
                inbox.pending = .assign(partitions)
                inbox.events.append(.assign(partitions))
            } else {
                inbox.pending = .revoke(partitions)
                inbox.events.append(.revoke(partitions, lost: isLost))
            }
        }
        // librdkafka's default is "generic", which adds nothing.
        let debug = properties["debug"]
        joining = JoinWatch(wake: wake, handsLinesOn: debug != nil)
        callbacks.joining = joining
        var properties = properties.merging(Self.forcedProperties)
        properties["debug"] = debug.map { "\($0),cgrp" } ?? "cgrp"
        handle = try KafkaHandle(.consumer, properties, callbacks, wake: wake)
        // Errors and the like then come through the consumer's queue too, and one poll serves all.
        rd_kafka_poll_set_consumer(handle.pointer)
        guard let queue = rd_kafka_queue_get_consumer(handle.pointer), let replies = rd_kafka_queue_new(handle.pointer)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "cannot make the queues of a Kafka consumer") }
        consumerQueue = KafkaQueue(queue, of: handle, wake: wake)
        self.replies = KafkaQueue(replies, of: handle, wake: wake)
        self.inbox = inbox
        self.wake = wake
        queries = KafkaQueries(handle)
    }

    /// Joins the group for these topics. It is also an error to name none.
    public func subscribe(_ topics: [String]) throws(KafkaError) {
        handle.isMember.store(true, ordering: .relaxed)
        let list = PartitionList(topics.map { TopicPartition(topic: $0, partition: -1) })
        if let error = KafkaError.unlessNone(
            list.lend { rd_kafka_subscribe(handle.pointer, $0) },
            "cannot subscribe to \(topics.joined(separator: ", "))")
        {
            throw error
        }
    }

    /// Leaves the group: everything assigned is revoked first, as an event to be answered. Where a rebalance is under
    /// way, it happens after that. `subscribe` joins again, as a new member that claims nothing; call it once the
    /// revocation is answered, since librdkafka forgets an unsubscribe that still waits when it is told to subscribe.
    public func unsubscribe() throws(KafkaError) {
        if let error = KafkaError.unlessNone(rd_kafka_unsubscribe(handle.pointer), "cannot leave the group") {
            throw error
        }
    }

    // MARK: Polling

    /// Fills the batch, after emptying it, with what librdkafka has at hand. It does not wait.
    ///
    /// Poll again before waiting on the descriptor while the batch comes back full or there were events: librdkafka
    /// signals only what is new. It has to be called more often than every `max.poll.interval.ms`, paused or not.
    ///
    /// An event ends the batch, so records of a batch came before the events that `takeEvents` returns after it.
    ///
    /// One message is taken at a time: "rd_kafka_consume_batch() and rd_kafka_consume_batch_queue() are not thread
    /// safe if rkmessages_size is greater than 1 and any of the seek, pause, resume or rebalancing operation is
    /// performed in parallel […] Some of the messages might be lost" (release notes of 2.0.0; repaired in 2.1.0), and
    /// librdkafka itself pauses and resumes all partitions from its own thread in every rebalance.
    @discardableResult
    public func poll(into batch: KafkaRecordBatch) -> Int {
        batch.begin(handle)
        guard !isClosed else { return 0 }
        takeReplies()
        while !batch.isFull, inbox.events.isEmpty, let message = rd_kafka_consumer_poll(handle.pointer, 0) {
            accept(message, into: batch)
        }
        return batch.count
    }

    /// What has happened since the last call, oldest first.
    public func takeEvents() -> [KafkaConsumerEvent] {
        takeReplies()
        guard !inbox.events.isEmpty else { return [] }
        defer { inbox.events.removeAll(keepingCapacity: true) }
        return inbox.events
    }

    private func accept(_ message: UnsafeMutablePointer<rd_kafka_message_t>, into batch: KafkaRecordBatch) {
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            let record = KafkaRecord(message: message)
            if positions.admit(record) {
                batch.append(message)
            } else {
                rd_kafka_message_destroy(message)
            }
            return
        }
        inbox.events.append(Self.event(message, of: handle))
        rd_kafka_message_destroy(message)
    }

    /// On a fatal error the message says only `_FATAL`, and the handle knows which.
    static func event(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>, of handle: KafkaHandle
    ) -> KafkaConsumerEvent {
        if message.pointee.err == RD_KAFKA_RESP_ERR__FATAL, let error = handle.fatalError { return .error(error) }
        let text = rd_kafka_message_errstr(message).map { String(cString: $0) }
        let error = KafkaError(message.pointee.err, text)
        guard let topic = message.pointee.rkt, message.pointee.partition >= 0 else { return .error(error) }
        let partition = TopicPartition(
            topic: String(cString: rd_kafka_topic_name(topic)), partition: message.pointee.partition)
        return message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF
            ? .endOfPartition(partition, offset: message.pointee.offset) : .partitionError(partition, error)
    }

    private func takeReplies() {
        while let event = rd_kafka_queue_poll(replies.pointer, 0) {
            if let answer = Self.commitAnswer(event) { inbox.events.append(answer) }
            rd_kafka_event_destroy(event)
        }
    }

    /// Records that librdkafka delivered a second time and that were dropped: a pause by its own thread can set a
    /// partition back behind the record that is just being handed over.
    public var redeliveredRecords: Int { positions.redeliveredRecords }

    // MARK: Assignment

    /// True while a rebalance waits for the owner's answer.
    public var isRebalancePending: Bool { inbox.pending != nil }

    /// True from when the member sets out to join its group until the group has answered: commit nothing then
    /// (`JoinWatch` says why). `wake` is signalled when it is over.
    public var isJoining: Bool { joining.isJoining }

    /// True from when librdkafka sees the assignment lost until the revoke is answered.
    public var isAssignmentLost: Bool { rd_kafka_assignment_lost(handle.pointer) != 0 }

    /// Answers an assign event: every partition of the event, each with where to start.
    ///
    /// It is called with no rebalance pending to add partitions by hand (`restart` does).
    public func assign(_ partitions: [(TopicPartition, KafkaOffset)]) throws(KafkaError) {
        let list = PartitionList(capacity: partitions.count)
        for (partition, offset) in partitions {
            list.add(partition, offset: offset.raw)
            positions.forget(partition)
        }
        let names = partitions.map(\.0.description).joined(separator: ", ")
        if let error = list.lend({ rd_kafka_incremental_assign(handle.pointer, $0) }) {
            throw KafkaError(consuming: error, "cannot assign [\(names)]")
        }
        if case .assign = inbox.pending { inbox.pending = nil }
    }

    /// Answers a revoke event, with every partition of the event. Paused ones are so no longer.
    public func unassign(_ partitions: [TopicPartition]) throws(KafkaError) {
        for partition in partitions { positions.forget(partition) }
        // librdkafka keeps the flag with the partition, perhaps until it is assigned again, perhaps not.
        try resume(partitions)
        let list = PartitionList(partitions)
        if let error = list.lend({ rd_kafka_incremental_unassign(handle.pointer, $0) }) {
            throw KafkaError(consuming: error, "cannot give up \(partitions)")
        }
        if case .revoke = inbox.pending { inbox.pending = nil }
    }

    /// Reads an assigned partition from another offset, also after `_AUTO_OFFSET_RESET` or another error stopped it,
    /// where librdkafka refuses a seek (its fetcher is then not started). It takes the partition away and gives it
    /// back.
    ///
    /// While a rebalance is pending it is refused with `_CONFLICT` (retriable): librdkafka would take it for the
    /// answer.
    public func restart(_ partition: TopicPartition, at offset: KafkaOffset) throws(KafkaError) {
        guard inbox.pending == nil else {
            throw KafkaError(
                code: RD_KAFKA_RESP_ERR__CONFLICT.rawValue,
                message: "cannot restart \(partition) before the pending rebalance is answered", isRetriable: true)
        }
        let wasPaused = paused.contains(partition)
        try unassign([partition])
        try assign([(partition, offset)])
        if wasPaused { try pause([partition]) }
    }

    /// Stops fetching. What was fetched already is thrown away and fetched again after `resume`; the position stays.
    public func pause(_ partitions: [TopicPartition]) throws(KafkaError) {
        let partitions = partitions.filter { !paused.contains($0) }
        guard !partitions.isEmpty else { return }
        paused.formUnion(partitions)
        let list = PartitionList(partitions)
        try check(list.lend { rd_kafka_pause_partitions(handle.pointer, $0) }, list, "cannot pause")
    }

    /// Partitions that are not paused are left alone: in 2.0.2 librdkafka "could resume fetching from a previous
    /// position […] if resuming a partition that wasn't paused" (repaired in 2.4.0).
    public func resume(_ partitions: [TopicPartition]) throws(KafkaError) {
        let partitions = partitions.filter { paused.contains($0) }
        guard !partitions.isEmpty else { return }
        paused.subtract(partitions)
        let list = PartitionList(partitions)
        try check(list.lend { rd_kafka_resume_partitions(handle.pointer, $0) }, list, "cannot resume")
    }

    /// Moves the position of an assigned partition that is being fetched.
    ///
    /// "If timeout_ms is 0 it will initiate the seek but return immediately without any error reporting": a partition
    /// that is not fetched yet, or not any more, needs `restart`.
    public func seek(_ partition: TopicPartition, to offset: KafkaOffset, timeoutMilliseconds: Int = 0)
        throws(KafkaError)
    {
        let list = PartitionList(capacity: 1)
        list.add(partition, offset: offset.raw)
        positions.forget(partition)
        let timeout = Int32(clamping: timeoutMilliseconds)
        if let error = list.lend({ rd_kafka_seek_partitions(handle.pointer, $0, timeout) }) {
            throw KafkaError(consuming: error, "cannot seek \(partition)")
        }
        // Without a time-out each partition says "in progress".
        if timeoutMilliseconds > 0 { try check(RD_KAFKA_RESP_ERR_NO_ERROR, list, "cannot seek") }
    }

    private func check(_ answer: rd_kafka_resp_err_t, _ list: PartitionList, _ doing: String) throws(KafkaError) {
        if let error = KafkaError.unlessNone(answer, doing) { throw error }
        let errors = list.map { KafkaError.unlessNone($0.err, "\(doing) \($0.topicPartition)") }
        if let error = errors.compactMap(\.self).first { throw error }
    }

    /// The offset behind the last record handed to the owner; nil before the first.
    public func position(_ partition: TopicPartition) -> Int64? {
        let list = PartitionList([partition])
        guard list.lend({ rd_kafka_position(handle.pointer, $0) }) == RD_KAFKA_RESP_ERR_NO_ERROR,
            let offset = list.map(\.offset).first, offset >= 0
        else { return nil }
        return offset
    }

    deinit {
        close(timeoutMilliseconds: Self.lastCloseMilliseconds)
        handle.wasAssigned.store(inbox.wasAssigned, ordering: .relaxed)
    }

    /// For an owner that forgot to close: enough for a healthy broker, and no long wait at an unhealthy one.
    private static let lastCloseMilliseconds = 1_000
}

extension KafkaOffset {
    var raw: Int64 {
        switch self {
        case .at(let offset): offset
        case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .end: Int64(RD_KAFKA_OFFSET_END)
        }
    }
}
