import CRdkafka

extension KafkaConsumer {
    /// Leaves the group, answering by itself every rebalance that comes up, and gives up when the time is over.
    /// Commit first.
    ///
    /// - Returns: true when the group was left in order. Otherwise the member stays behind, heartbeating, until the
    ///   process ends (`KafkaHandle` says why); the broker gives its partitions to others after
    ///   `max.poll.interval.ms`.
    @discardableResult
    public func close(timeoutMilliseconds: Int) -> Bool {
        guard !isClosed else { return true }
        isClosed = true
        // In 2.0.2 an assignment of nothing that is not answered before the group terminates keeps it from ever doing
        // so.
        while let message = rd_kafka_consumer_poll(handle.pointer, 0) { rd_kafka_message_destroy(message) }
        switch inbox.pending {
        case .assign(let partitions): try? assign(partitions.map { ($0, .end) })
        case .revoke(let partitions): try? unassign(partitions)
        case nil: break
        }
        guard let pointer = rd_kafka_queue_new(handle.pointer) else { return false }
        let queue = KafkaQueue(pointer, of: handle, wake: nil)
        // "Rebalance events/callbacks (etc) will be forwarded to the application-provided rkqu. The application must
        // poll/serve this queue until rd_kafka_consumer_closed() returns true."
        if let error = rd_kafka_consumer_close_queue(handle.pointer, queue.pointer) {
            rd_kafka_error_destroy(error)
            return false
        }
        let deadline = ContinuousClock.now + .milliseconds(timeoutMilliseconds)
        while rd_kafka_consumer_closed(handle.pointer) == 0 {
            guard ContinuousClock.now < deadline else { return false }
            guard let event = rd_kafka_queue_poll(queue.pointer, Self.closePollMilliseconds) else { continue }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE else { continue }
            // While a group terminates, librdkafka treats every answer as "give up everything". Answer nothing that
            // was not asked: a request that meets the end of the group waits for its reply for ever.
            if let error = PartitionList([]).lend({ rd_kafka_incremental_unassign(handle.pointer, $0) }) {
                rd_kafka_error_destroy(error)
            }
        }
        return true
    }

    /// How long one look at the queue takes while closing: `rd_kafka_consumer_closed` signals nothing.
    private static let closePollMilliseconds: Int32 = 50
}
