import CRdkafka

/// Topics and their settings. Every call waits for a broker's answer: call it from any thread but the pipeline's.
public final class KafkaAdmin: Sendable {
    public let handle: KafkaHandle

    /// Works over the connections of a consumer or a producer.
    public init(_ handle: KafkaHandle) {
        self.handle = handle
    }

    /// A handle of its own, that joins no group.
    public convenience init(properties: KafkaProperties, log: @escaping KafkaLog) throws(KafkaError) {
        self.init(try KafkaQueries(properties: properties, log: log).handle)
    }

    public struct Topic: Equatable, Sendable {
        public var name: String
        /// In the order of their ids. Empty when the topic has an error.
        public var partitions: [Partition]
        /// `isUnknownTopicOrPartition` when there is no such topic, `isAuthorizationFailure` when we may not know.
        public var error: KafkaError?
    }

    public struct Partition: Equatable, Sendable {
        public var id: Int32
        /// -1 while an election goes on.
        public var leader: Int32
        public var replicas: [Int32]
        public var inSyncReplicas: [Int32]
        public var error: KafkaError?
    }

    /// What the cluster says about these topics, in the same order; a topic that does not exist is an answer, not a
    /// throw.
    ///
    /// All of the cluster's topics are asked for and these picked out: a request that names one topic lets a broker
    /// with `auto.create.topics.enable` create it when it is asked by a producer's handle.
    public func metadata(_ topics: [String], timeoutMilliseconds: Int) throws(KafkaError) -> [Topic] {
        let all = try allTopics(timeoutMilliseconds: timeoutMilliseconds)
        return topics.map { name in
            all[name]
                ?? Topic(
                    name: name, partitions: [],
                    error: KafkaError(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "there is no topic '\(name)'"))
        }
    }

    /// Every topic that this principal may see, by name.
    public func allTopics(timeoutMilliseconds: Int) throws(KafkaError) -> [String: Topic] {
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle.pointer, 1, nil, &answer, Int32(clamping: timeoutMilliseconds))
        if let error = KafkaError.unlessNone(code, "cannot read the cluster's metadata") { throw error }
        guard let answer else { return [:] }
        // "must be released with rd_kafka_metadata_destroy()".
        defer { rd_kafka_metadata_destroy(answer) }
        let topics = UnsafeBufferPointer(start: answer.pointee.topics, count: Int(answer.pointee.topic_cnt))
        return Dictionary(
            topics.map { topic in
                let name = String(cString: topic.topic)
                return (name, Self.topic(name, topic))
            }, uniquingKeysWith: { $1 })
    }

    private static func topic(_ name: String, _ topic: rd_kafka_metadata_topic) -> Topic {
        let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt)).map { one in
            Partition(
                id: one.id, leader: one.leader,
                replicas: Array(UnsafeBufferPointer(start: one.replicas, count: Int(one.replica_cnt))),
                inSyncReplicas: Array(UnsafeBufferPointer(start: one.isrs, count: Int(one.isr_cnt))),
                error: KafkaError.unlessNone(one.err, "\(name)/\(one.id)"))
        }
        return Topic(
            name: name, partitions: partitions.sorted { $0.id < $1.id },
            error: KafkaError.unlessNone(topic.err, "topic '\(name)'"))
    }

    /// - Parameters:
    ///   - replication: -1 takes the broker's default (brokers from 2.4 on); 1 suits a broker on its own.
    ///   - configuration: the topic's own settings, such as `cleanup.policy`.
    /// - Throws: `isTopicAlreadyThere` when it exists; `isAuthorizationFailure` when the principal may not create it.
    public func createTopic(
        _ name: String, partitions: Int, replication: Int = -1, configuration: [String: String] = [:],
        timeoutMilliseconds: Int
    ) throws(KafkaError) {
        let doing = "cannot create the topic '\(name)'"
        var text = [CChar](repeating: 0, count: KafkaHandle.errorTextBytes)
        let topic = rd_kafka_NewTopic_new(
            name, Int32(clamping: partitions), Int32(clamping: replication), &text, text.count)
        guard let topic else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "\(doing): \(KafkaHandle.string(text))")
        }
        defer { rd_kafka_NewTopic_destroy(topic) }
        for (key, value) in configuration {
            if let error = KafkaError.unlessNone(rd_kafka_NewTopic_set_config(topic, key, value), doing) { throw error }
        }
        try ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, doing, timeoutMilliseconds) { options, queue in
            var topics: [OpaquePointer?] = [topic]
            rd_kafka_CreateTopics(handle.pointer, &topics, 1, options, queue)
        } read: { event in
            var count = 0
            return Self.topicResults(
                rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count), count, doing)
        }
    }

    /// Deletes a topic with everything in it.
    public func deleteTopic(_ name: String, timeoutMilliseconds: Int) throws(KafkaError) {
        let doing = "cannot delete the topic '\(name)'"
        guard let topic = rd_kafka_DeleteTopic_new(name) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, doing)
        }
        defer { rd_kafka_DeleteTopic_destroy(topic) }
        try ask(RD_KAFKA_ADMIN_OP_DELETETOPICS, doing, timeoutMilliseconds) { options, queue in
            var topics: [OpaquePointer?] = [topic]
            rd_kafka_DeleteTopics(handle.pointer, &topics, 1, options, queue)
        } read: { event in
            var count = 0
            return Self.topicResults(
                rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count), count, doing)
        }
    }

    /// The topic's settings as they hold, the broker's defaults included, such as `max.message.bytes`,
    /// `retention.ms`, `cleanup.policy`.
    public func topicConfiguration(
        _ name: String, timeoutMilliseconds: Int
    ) throws(KafkaError) -> [String: String] {
        let doing = "cannot read the settings of the topic '\(name)'"
        guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, doing)
        }
        defer { rd_kafka_ConfigResource_destroy(resource) }
        var found: [String: String] = [:]
        try ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, doing, timeoutMilliseconds) { options, queue in
            var resources: [OpaquePointer?] = [resource]
            rd_kafka_DescribeConfigs(handle.pointer, &resources, 1, options, queue)
        } read: { event in
            var count = 0
            let resources = rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(event), &count)
            for resource in UnsafeBufferPointer(start: resources, count: count) {
                let code = rd_kafka_ConfigResource_error(resource)
                if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                    let text = rd_kafka_ConfigResource_error_string(resource).map { ": \(String(cString: $0))" }
                    return KafkaError(code, doing + (text ?? ""))
                }
                var entries = 0
                let list = rd_kafka_ConfigResource_configs(resource, &entries)
                for entry in UnsafeBufferPointer(start: list, count: entries) {
                    guard let key = rd_kafka_ConfigEntry_name(entry), let value = rd_kafka_ConfigEntry_value(entry)
                    else { continue }
                    found[String(cString: key)] = String(cString: value)
                }
            }
            return nil
        }
        return found
    }

    private static func topicResults(
        _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ doing: String
    ) -> KafkaError? {
        for result in UnsafeBufferPointer(start: results, count: count) {
            let code = rd_kafka_topic_result_error(result)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            let text = rd_kafka_topic_result_error_string(result).map { ": \(String(cString: $0))" }
            return KafkaError(code, doing + (text ?? ""))
        }
        return nil
    }

    /// Sends one admin request on a queue of its own and waits for its event.
    func ask(
        _ operation: rd_kafka_admin_op_t, _ doing: String, _ timeoutMilliseconds: Int,
        _ send: (_ options: OpaquePointer, _ queue: OpaquePointer) -> Void,
        read: (_ event: OpaquePointer) -> KafkaError?
    ) throws(KafkaError) {
        guard let queue = rd_kafka_queue_new(handle.pointer),
            let options = rd_kafka_AdminOptions_new(handle.pointer, operation)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, doing) }
        defer {
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(queue)
        }
        var text = [CChar](repeating: 0, count: KafkaHandle.errorTextBytes)
        let timeout = Int32(clamping: max(1, timeoutMilliseconds))
        let answer = rd_kafka_AdminOptions_set_request_timeout(options, timeout, &text, text.count)
        if let error = KafkaError.unlessNone(answer, "\(doing): \(KafkaHandle.string(text))") { throw error }
        send(options, queue)
        // The request's own time-out answers first; ours is there for a broker thread that is stuck.
        let grace = Int32(clamping: Int(timeout) + Self.answerGraceMilliseconds)
        guard let event = rd_kafka_queue_poll(queue, grace) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, doing)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaError(code, "\(doing): \(String(cString: rd_kafka_event_error_string(event)))")
        }
        if let error = read(event) { throw error }
    }

    private static let answerGraceMilliseconds = 2_000
}
