import CRdkafka

/// A consumer group as its coordinator describes it.
public struct KafkaGroup: Equatable, Sendable {
    public struct Member: Equatable, Sendable {
        public var id: String
        /// The client's `client.id`.
        public var clientID: String
        public var host: String
        /// Empty until the group is stable.
        public var partitions: [TopicPartition]
    }

    /// Kafka's word: `Stable`, `Empty`, `Dead`, `PreparingRebalance`, `CompletingRebalance`.
    public var state: String
    public var members: [Member]
}

extension KafkaQueries {
    /// The group's state and members; nil when the brokers know of no such group.
    public func group(_ name: String, timeoutMilliseconds: Int) throws(KafkaError) -> KafkaGroup? {
        var list: UnsafePointer<rd_kafka_group_list>?
        let answer = rd_kafka_list_groups(handle.pointer, name, &list, Int32(clamping: timeoutMilliseconds))
        // "must be released with rd_kafka_group_list_destroy()", also a list that is short of some brokers' answers.
        defer { if let list { rd_kafka_group_list_destroy(list) } }
        if let error = KafkaError.unlessNone(answer, "cannot describe the group '\(name)'") { throw error }
        guard let list else { return nil }
        let groups = UnsafeBufferPointer(start: list.pointee.groups, count: Int(list.pointee.group_cnt))
        for group in groups where String(cString: group.group) == name {
            if let error = KafkaError.unlessNone(group.err, "cannot describe the group '\(name)'") { throw error }
            let members = UnsafeBufferPointer(start: group.members, count: Int(group.member_cnt)).map { member in
                KafkaGroup.Member(
                    id: String(cString: member.member_id), clientID: String(cString: member.client_id),
                    host: String(cString: member.client_host),
                    partitions: KafkaGroup.assignment(
                        UnsafeRawBufferPointer(
                            start: member.member_assignment, count: Int(max(0, member.member_assignment_size)))))
            }
            let state = String(cString: group.state)
            return state == "Dead" && members.isEmpty ? nil : KafkaGroup(state: state, members: members)
        }
        return nil
    }

    /// Commits for the handle's group without being a member of it, and waits for the answer. A coordinator takes that
    /// of a group that has no members, and refuses it with 25 (UNKNOWN_MEMBER_ID) where there are some.
    public func commitAlone(
        _ partition: TopicPartition, offset: Int64, metadata: String, timeoutMilliseconds: Int
    ) throws(KafkaError) {
        let doing = "cannot commit an offset of \(partition)"
        guard let queue = rd_kafka_queue_new(handle.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, doing)
        }
        defer { rd_kafka_queue_destroy(queue) }
        let list = PartitionList(capacity: 1)
        list.add(partition, offset: offset, metadata: metadata)
        let sent = list.lend { rd_kafka_commit_queue(handle.pointer, $0, queue, nil, nil) }
        if let error = KafkaError.unlessNone(sent, doing) { throw error }
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: timeoutMilliseconds)) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, doing)
        }
        defer { rd_kafka_event_destroy(event) }
        if let error = KafkaError.unlessNone(rd_kafka_event_error(event), doing) { throw error }
        for element in rd_kafka_event_topic_partition_list(event)?.pointee.buffer.map({ $0 }) ?? [] {
            if let error = KafkaError.unlessNone(element.err, doing) { throw error }
        }
    }
}

extension KafkaGroup {
    /// The consumer protocol's assignment: version (16 bits), the topics' count (32), and for each topic its name (length
    /// in 16 bits), the partitions' count (32) and numbers (32 each), all big-endian. What does not parse is no
    /// assignment.
    static func assignment(_ bytes: UnsafeRawBufferPointer) -> [TopicPartition] {
        var position = 0
        func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T? {
            guard position + MemoryLayout<T>.size <= bytes.count else { return nil }
            defer { position += MemoryLayout<T>.size }
            return T(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
        }
        var found: [TopicPartition] = []
        guard integer(Int16.self) != nil, let topics = integer(Int32.self), topics >= 0 else { return [] }
        for _ in 0..<topics {
            guard let length = integer(Int16.self), length >= 0, position + Int(length) <= bytes.count else {
                return []
            }
            let name = String(decoding: bytes[position..<position + Int(length)], as: UTF8.self)
            position += Int(length)
            guard let count = integer(Int32.self), count >= 0 else { return [] }
            for _ in 0..<count {
                guard let partition = integer(Int32.self) else { return [] }
                found.append(TopicPartition(topic: name, partition: partition))
            }
        }
        return found
    }
}

extension KafkaAdmin {
    /// Deletes a group that has no members, with its committed offsets.
    public func deleteGroup(_ name: String, timeoutMilliseconds: Int) throws(KafkaError) {
        let doing = "cannot delete the group '\(name)'"
        guard let group = rd_kafka_DeleteGroup_new(name) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, doing)
        }
        defer { rd_kafka_DeleteGroup_destroy(group) }
        try ask(RD_KAFKA_ADMIN_OP_DELETEGROUPS, doing, timeoutMilliseconds) { options, queue in
            var groups: [OpaquePointer?] = [group]
            rd_kafka_DeleteGroups(handle.pointer, &groups, 1, options, queue)
        } read: { event in
            var count = 0
            let results = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count)
            for result in UnsafeBufferPointer(start: results, count: count) {
                guard let error = rd_kafka_group_result_error(result) else { continue }
                return KafkaError(
                    code: rd_kafka_error_code(error).rawValue,
                    message: "\(doing): \(String(cString: rd_kafka_error_string(error)))")
            }
            return nil
        }
    }
}
