import Metrics
import RouterCore

/// The numbers the service counts, by the names of the contract. Handlers are made once and kept: making one looks it up.
final class ServiceMetrics {
    let consumed = Counter(label: "router_events_consumed_total")
    let insertDuration = Timer(label: "router_insert_duration_seconds")
    let bufferedBytes = Gauge(label: "router_buffered_bytes")
    let pausedPartitions = Gauge(label: "router_paused_partitions")
    /// Those that stand still until a person decides.
    let stoppedPartitions = Gauge(label: "router_stopped_partitions")
    let lag = LagMetrics()
    let lostToRetention = Counter(label: "router_events_lost_to_retention_total")
    private var delivered: [ClientID: Counter] = [:]
    private var deadLettered: [DeadLetterReason: Counter] = [:]
    private var inserts: [String: Counter] = [:]
    /// There only while a partition stands still, with what it waits for.
    private var stalled: [Int32: (waitingFor: WaitReason, gauge: Gauge)] = [:]
    private let latency: LatencyRecorder

    init(latency: @escaping LatencyRecorder) {
        self.latency = latency
        // Every name that can be known is there from the start: a rate over a series that does not exist is no zero.
        for reason in DeadLetterReason.allCases { deadLettered(reason, count: 0) }
        lostToRetention.increment(by: 0)
        for outcome in ["acknowledged", "rejected", "refused", "unknown"] { insertCounter(outcome).increment(by: 0) }
    }

    func delivered(_ client: ClientID, count: Int) {
        counter(client, in: &delivered) {
            Counter(label: "router_events_delivered_total", dimensions: [("client", $0.description)])
        }.increment(by: count)
    }

    func deadLettered(_ reason: DeadLetterReason, count: Int) {
        counter(reason, in: &deadLettered) {
            Counter(label: "router_events_dead_lettered_total", dimensions: [("reason", $0.rawValue)])
        }.increment(by: count)
    }

    func insert(_ answer: InsertAnswer, durationMilliseconds: Int64) {
        let outcome: String
        switch answer {
        case .acknowledged: outcome = "acknowledged"
        case .rowFault: outcome = "rejected"
        case .refused: outcome = "refused"
        case .unknown: outcome = "unknown"
        case .notSent: return
        }
        insertCounter(outcome).increment()
        insertDuration.recordMilliseconds(durationMilliseconds)
    }

    private func insertCounter(_ outcome: String) -> Counter {
        counter(outcome, in: &inserts) { Counter(label: "router_inserts_total", dimensions: [("outcome", $0)]) }
    }

    /// - Parameter waitingFor: nil while the partition moves.
    func stalled(topic: String, partition: Int32, waitingFor: WaitReason?, milliseconds: Int64) {
        if let known = stalled[partition], known.waitingFor != waitingFor {
            known.gauge.destroy()
            stalled[partition] = nil
        }
        guard let waitingFor else { return }
        let gauge =
            stalled[partition]?.gauge
            ?? Gauge(
                label: "router_partition_stalled_seconds",
                dimensions: [
                    ("topic", topic), ("partition", String(partition)), ("waiting_for", waitingFor.rawValue),
                ])
        stalled[partition] = (waitingFor, gauge)
        gauge.record(Double(milliseconds) / 1000)
    }

    func latency(milliseconds: Int64, count: Int) {
        latency(Double(max(0, milliseconds)) / 1000, count)
    }

    private func counter<Key: Hashable, Handler>(
        _ key: Key, in handlers: inout [Key: Handler], _ make: (Key) -> Handler
    ) -> Handler {
        if let known = handlers[key] { return known }
        let made = make(key)
        handlers[key] = made
        return made
    }
}

/// Records a latency in seconds for so many events at once: swift-metrics knows only one at a time.
public typealias LatencyRecorder = @Sendable (_ seconds: Double, _ count: Int) -> Void
