import CRdkafka

extension KafkaConsumer {
    /// The broker's default for `offset.metadata.max.bytes`: longer metadata is answered with
    /// OFFSET_METADATA_TOO_LARGE (12).
    public static let defaultMaxMetadataBytes = 4096

    /// What the protocol can carry: a string's length is 16 bits with a sign.
    public static let protocolMaxMetadataBytes = Int(Int16.max)

    /// Sends a commit and returns at once; the answer comes as the event `.committed` with the same ticket, always.
    ///
    /// **Commit one partition at a time, and wait for the answer before the next commit of the same partition.** In
    /// librdkafka 2.0.2
    /// - a request with several partitions of which one fails has the failing one's error put on the others as well
    ///   (`rd_kafka_cgrp_update_committed_offsets`: "Propagate global error to all partitions that don't have
    ///   explicit error set"), though the broker has kept theirs;
    /// - requests keep their order on the connection, but one that is answered with a retriable error (a coordinator
    ///   that is loading or moved, a time-out) is sent again by itself and would overtake, late, a newer one;
    /// - while no coordinator is known a commit is put aside, for `session.timeout.ms` at most, and sent with the
    ///   generation of the day it is sent on.
    ///
    /// **Commit nothing while `isJoining`**: it would be refused with 22 and cost the assignment.
    ///
    /// A commit of the same offset with other metadata is sent like any other (only auto-commit looks at what was
    /// stored before). During a rebalance it is sent too, whatever librdkafka waits for: the broker answers with
    /// success while the generation holds, with 27 (REBALANCE_IN_PROGRESS) between two of them (neither librdkafka
    /// nor this type retries it), with 22 (ILLEGAL_GENERATION), 25 (UNKNOWN_MEMBER_ID) or 82 (FENCED_INSTANCE_ID,
    /// then fatal) to a member that missed one. Each of these comes back on the partition and as the answer's own
    /// error; 22 and 25 also revoke everything as lost, *unless* a rebalance waits for its answer already: then
    /// nothing else tells, see `membership`.
    ///
    /// - Parameters:
    ///   - offsets: the next offset to read, and the string kept beside it.
    ///   - ticket: comes back with the answer.
    public func commit(
        _ offsets: [(TopicPartition, offset: Int64, metadata: String)], ticket: UInt64
    ) throws(KafkaError) {
        // librdkafka means to refuse commits after a fatal error, but looks for one in idempotent producers only
        // (`rd_kafka_fatal_error_code`): a fenced member would go on sending them.
        if let error = handle.fatalError { throw error }
        let list = PartitionList(capacity: offsets.count)
        for (partition, offset, metadata) in offsets {
            guard metadata.utf8.count <= Self.protocolMaxMetadataBytes else {
                throw KafkaError(
                    RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
                    "cannot commit \(partition): \(metadata.utf8.count) bytes of metadata")
            }
            list.add(partition, offset: offset, metadata: metadata)
        }
        // The list is copied. The ticket travels as the opaque pointer and is never followed.
        let answer = list.lend {
            rd_kafka_commit_queue(
                handle.pointer, $0, replies.pointer, nil, UnsafeMutableRawPointer(bitPattern: UInt(ticket)))
        }
        if let error = KafkaError.unlessNone(answer, "cannot commit \(offsets.map(\.0))") { throw error }
    }

    static func commitAnswer(_ event: OpaquePointer) -> KafkaConsumerEvent? {
        guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT else { return nil }
        let ticket = UInt64(UInt(bitPattern: rd_kafka_event_opaque(event)))
        let partitions = rd_kafka_event_topic_partition_list(event)?.pointee.buffer.map { element in
            KafkaCommitAnswer(
                partition: element.topicPartition, offset: element.offset,
                error: KafkaError.unlessNone(element.err, "commit of \(element.topicPartition)"))
        }
        return .committed(
            ticket: ticket, partitions: partitions ?? [],
            error: KafkaError.unlessNone(rd_kafka_event_error(event), "commit"))
    }

    /// The member as its group knows it. Compare it with the one at the last assignment: a changed id, or a
    /// generation that is not one of those seen, means that a generation was missed even where no partition was
    /// revoked as lost.
    ///
    /// librdkafka has no function for it; the serialised form of its group metadata (documented for passing it
    /// between processes) holds both. nil when that form is not the one known here. The call is answered by
    /// librdkafka's own thread, without a broker.
    public var membership: KafkaMembership? {
        guard let metadata = rd_kafka_consumer_group_metadata(handle.pointer) else { return nil }
        defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
        var buffer: UnsafeMutableRawPointer?
        var bytes = 0
        if let error = rd_kafka_consumer_group_metadata_write(metadata, &buffer, &bytes) {
            rd_kafka_error_destroy(error)
            return nil
        }
        defer { rd_kafka_mem_free(nil, buffer) }
        return KafkaMembership(serialised: UnsafeRawBufferPointer(start: buffer, count: bytes))
    }
}

/// A member's id and generation. The generation is -1 outside of a group.
public struct KafkaMembership: Equatable, Sendable {
    public var memberID: String
    public var generation: Int32

    public init(memberID: String, generation: Int32) {
        self.memberID = memberID
        self.generation = generation
    }

    public var isMember: Bool { !memberID.isEmpty && generation >= 0 }

    /// Whether this is the member it was, with no generation passed over. One that stays in its group keeps its id, and
    /// its generation goes up by one at a time; a new id, or a generation that was skipped, means that the group has
    /// gone on without it, and that its partitions may have been another member's meanwhile.
    public func continues(_ before: KafkaMembership) -> Bool {
        isMember && memberID == before.memberID
            && (generation == before.generation || generation == before.generation + 1)
    }

    /// `"CGMDv2:"<generation_id><group_id>"\0"<member_id>"\0"…`, the generation in the machine's own byte order.
    init?(serialised bytes: UnsafeRawBufferPointer) {
        let magic = Array("CGMDv2:".utf8)
        guard bytes.count > magic.count + 4, bytes.prefix(magic.count).elementsEqual(magic) else { return nil }
        generation = bytes.loadUnaligned(fromByteOffset: magic.count, as: Int32.self)
        let texts = bytes.dropFirst(magic.count + 4).split(separator: 0, omittingEmptySubsequences: false)
        guard texts.count >= 3 else { return nil }
        memberID = String(decoding: texts[texts.startIndex + 1], as: UTF8.self)
    }
}
