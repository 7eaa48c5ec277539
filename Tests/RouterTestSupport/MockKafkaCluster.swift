import CRdkafka

/// librdkafka's own mock cluster, in this process: it speaks Kafka's real protocol on a loopback port, with groups,
/// session timeouts, offset metadata and injected errors. It keeps only about 5 MB a partition, one record batch in
/// one fetch answer, has no transactions' holes, no CreateTopics and no DescribeConfigs.
///
/// `@unchecked Sendable`: the functions of `rdkafka_mock.h` hand their work to the cluster's own thread or take its
/// lock.
public final class MockKafkaCluster: @unchecked Sendable {
    private let handle: OpaquePointer
    private let cluster: OpaquePointer

    public struct Failure: Error {
        public let message: String
    }

    public init(brokers: Int = 1) throws {
        let configuration = rd_kafka_conf_new()
        // The carrier's own log lines (brokers of the mock going up and down) would drown a test's output.
        rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
        var text = [CChar](repeating: 0, count: 512)
        guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &text, text.count) else {
            throw Failure(message: "cannot make the carrier of a mock cluster")
        }
        guard let cluster = rd_kafka_mock_cluster_new(handle, Int32(brokers)) else {
            rd_kafka_destroy(handle)
            throw Failure(message: "cannot make a mock cluster")
        }
        self.handle = handle
        self.cluster = cluster
    }

    public var bootstrapServers: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

    public func createTopic(_ name: String, partitions: Int = 1) throws {
        try check(rd_kafka_mock_topic_create(cluster, name, Int32(partitions), 1), "create topic \(name)")
    }

    /// Requests of the Kafka protocol, by their keys.
    public enum Request: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case offsetCommit = 8
        case offsetFetch = 9
        case findCoordinator = 10
        case joinGroup = 11
        case heartbeat = 12
        case leaveGroup = 13
        case syncGroup = 14
        case initProducerID = 22
    }

    /// The next requests of this kind, at whichever broker, get these error codes, one each.
    public func pushErrors(_ codes: [Int32], for request: Request) {
        let errors = codes.map { rd_kafka_resp_err_t(rawValue: $0) }
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, errors)
    }

    public func clearErrors(for request: Request) {
        rd_kafka_mock_clear_request_errors(cluster, request.rawValue)
    }

    /// The topic answers metadata requests with this error until it is set to 0.
    public func setTopicError(_ code: Int32, topic: String) {
        rd_kafka_mock_topic_set_error(cluster, topic, rd_kafka_resp_err_t(rawValue: code))
    }

    /// Brokers count from 1. A broker that is down refuses connections and drops those it has.
    public func setBroker(_ broker: Int, isUp: Bool) throws {
        try check(
            isUp
                ? rd_kafka_mock_broker_set_up(cluster, Int32(broker))
                : rd_kafka_mock_broker_set_down(cluster, Int32(broker)), "set broker \(broker) up or down")
    }

    /// Every answer of the broker is held back for this long.
    public func setRoundTrip(broker: Int, milliseconds: Int) throws {
        try check(rd_kafka_mock_broker_set_rtt(cluster, Int32(broker), Int32(milliseconds)), "set a round trip")
    }

    public func setLeader(_ broker: Int, topic: String, partition: Int) throws {
        try check(
            rd_kafka_mock_partition_set_leader(cluster, topic, Int32(partition), Int32(broker)),
            "move \(topic)/\(partition)")
    }

    /// Moves a group to another coordinator.
    public func setCoordinator(_ broker: Int, group: String) throws {
        try check(rd_kafka_mock_coordinator_set(cluster, "group", group, Int32(broker)), "move group \(group)")
    }

    /// Makes consumers fetch from `follower`, which shows only offsets in [low, high): the one way the mock has to
    /// show a log that starts above 0.
    public func setFollower(_ follower: Int, topic: String, partition: Int, low: Int64, high: Int64) throws {
        try check(
            rd_kafka_mock_partition_set_follower(cluster, topic, Int32(partition), Int32(follower)),
            "set a follower of \(topic)/\(partition)")
        try check(
            rd_kafka_mock_partition_set_follower_wmarks(cluster, topic, Int32(partition), low, high),
            "set the follower's watermarks of \(topic)/\(partition)")
    }

    private func check(_ answer: rd_kafka_resp_err_t, _ doing: String) throws {
        guard answer != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw Failure(message: "cannot \(doing): \(String(cString: rd_kafka_err2str(answer)))")
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(handle)
    }
}
