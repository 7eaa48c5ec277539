import CRdkafka

/// What librdkafka or the broker answered. `code` is `rd_kafka_resp_err_t`: positive codes are the broker's own
/// (the Kafka protocol's error table), negative ones are librdkafka's.
public struct KafkaError: Error, Equatable, Sendable {
    public var code: Int32
    /// The stable name, such as `OFFSET_METADATA_TOO_LARGE` or `_TRANSPORT` (a leading underscore is librdkafka's own).
    public var name: String
    /// A sentence for a person: what failed, on what, what the server said. It never holds a property's secret value.
    public var message: String
    /// True when the handle is of no more use: it has to be closed and made again.
    public var isFatal: Bool
    /// True when the same call may well succeed later with nothing changed.
    public var isRetriable: Bool

    public init(code: Int32, message: String? = nil, isFatal: Bool = false, isRetriable: Bool? = nil) {
        let raw = rd_kafka_resp_err_t(rawValue: code)
        self.code = code
        self.name = String(cString: rd_kafka_err2name(raw))
        let meaning = String(cString: rd_kafka_err2str(raw))
        if let message, !message.isEmpty {
            self.message = message.contains(meaning) ? message : "\(message): \(meaning)"
        } else {
            self.message = meaning
        }
        self.isFatal = isFatal
        self.isRetriable = isRetriable ?? (!isFatal && Self.retriableCodes.contains(code))
    }

    init(_ raw: rd_kafka_resp_err_t, _ message: String? = nil) {
        self.init(code: raw.rawValue, message: message)
    }

    /// Takes an error object over and frees it. The manual: "The returned error object (if not NULL) must be destroyed
    /// with rd_kafka_error_destroy()".
    init(consuming error: OpaquePointer, _ doing: String) {
        let text = String(cString: rd_kafka_error_string(error))
        self.init(
            code: rd_kafka_error_code(error).rawValue, message: "\(doing): \(text)",
            isFatal: rd_kafka_error_is_fatal(error) != 0,
            isRetriable: rd_kafka_error_is_retriable(error) != 0 ? true : nil)
        rd_kafka_error_destroy(error)
    }

    /// nil for "no error".
    static func unlessNone(_ raw: rd_kafka_resp_err_t, _ message: @autoclosure () -> String? = nil) -> KafkaError? {
        raw == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(raw, message())
    }
}

extension KafkaError: CustomStringConvertible {
    public var description: String { "\(message) (\(name), \(code))" }
}

extension KafkaError {
    /// Outages, elections, overload and time limits: what an operator waits out and does not repair.
    private static let retriableCodes: Set<Int32> = Set(
        [
            RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
            RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
            RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__WAIT_CACHE,
            RD_KAFKA_RESP_ERR__RETRY,
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
            RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
        ].map(\.rawValue))

    /// The producer's own queue is full: serve its delivery reports, then produce again.
    public var isQueueFull: Bool { code == RD_KAFKA_RESP_ERR__QUEUE_FULL.rawValue }

    /// The message is larger than `message.max.bytes` (ours, at once) or the topic's `max.message.bytes` (the
    /// broker's).
    public var isMessageTooLarge: Bool {
        code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE.rawValue
            || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE.rawValue
    }

    /// The member is not, or is no longer, what it believed to be in its group: it may have missed a generation, and
    /// nothing that it holds is valid (22 ILLEGAL_GENERATION, 25 UNKNOWN_MEMBER_ID, 82 FENCED_INSTANCE_ID).
    public var isMembershipLost: Bool {
        code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION.rawValue || code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID.rawValue
            || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID.rawValue
    }

    /// 27: the group is between two generations. A commit for a partition still owned is sent again later.
    public var isRebalanceInProgress: Bool { code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS.rawValue }

    /// A wish that the broker refuses because the principal has no such right.
    public var isAuthorizationFailure: Bool {
        code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED.rawValue
            || code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED.rawValue
            || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED.rawValue
    }

    /// The topic, or the partition of it, does not exist as far as the broker asked knows.
    public var isUnknownTopicOrPartition: Bool {
        code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.rawValue
            || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC.rawValue
            || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION.rawValue
    }

    /// The position is outside of the log, or there is no committed offset, and `auto.offset.reset` is `error`.
    public var isNoValidOffset: Bool { code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET.rawValue }

    /// Creating what is there already.
    public var isTopicAlreadyThere: Bool { code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS.rawValue }
}
