/// What a metric is, as the exposition's TYPE line says it.
public enum MetricKind: String, Sendable {
    case counter, gauge, histogram
}

/// What a person needs to know of one metric, and how it is kept.
public struct MetricDescription: Sendable {
    public var name: String
    public var kind: MetricKind
    /// The HELP line.
    public var help: String
    /// Without labels a metric exists, with 0, from the start.
    public var labels: [String]
    /// For histograms: the upper bounds of the buckets, ascending, without the infinite one.
    public var buckets: [Double]

    public init(_ name: String, _ kind: MetricKind, _ help: String, labels: [String] = [], buckets: [Double] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.buckets = buckets
    }

    /// For durations nobody has said anything about: from a millisecond to a minute.
    static let defaultBuckets: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    static let droppedSeriesName = "router_metrics_dropped_series_total"

    /// Every metric of the router. The names are a contract with dashboards and alerts.
    public static let all: [MetricDescription] = [
        .init("router_events_consumed_total", .counter, "Records read from the raw topic."),
        .init(
            "router_events_delivered_total", .counter, "Events that ClickHouse acknowledged, by client.",
            labels: ["client"]),
        .init(
            "router_events_dead_lettered_total", .counter, "Records sent to the dead-letter topic, by reason.",
            labels: ["reason"]),
        .init(
            "router_consumer_lag", .gauge,
            "Records between the partition's end, as its broker tells it, and the committed offset; not there where unknown.",
            labels: ["topic", "partition"]),
        .init(
            "router_consumer_lag_seconds", .gauge,
            "Age of the partition's oldest record that is not delivered, 0 when there is none; not there where unknown.",
            labels: ["topic", "partition"]),
        // An insert of one block takes milliseconds on an idle server and a minute where the time limit ends it.
        .init(
            "router_insert_duration_seconds", .histogram, "Time of one insert, from its start to ClickHouse's answer.",
            buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]),
        // The age limit of a batch, one second as a rule, is in the middle; an outage lasts minutes to hours.
        .init(
            "router_event_latency_seconds", .histogram,
            "Age of an event when ClickHouse acknowledged it, by its Kafka timestamp.",
            buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60, 300, 1800, 7200]),
        .init("router_inserts_total", .counter, "Inserts into ClickHouse, by outcome.", labels: ["outcome"]),
        .init(
            "router_client_cache_lookups_total", .counter, "Look-ups in the client directory, by level and result.",
            labels: ["level", "result"]),
        .init("router_buffered_bytes", .gauge, "Bytes in open and outstanding batches and in Kafka's queue."),
        .init(
            "router_paused_partitions", .gauge,
            "Partitions that are not read at the moment: to bound the memory, by an operator, or standing still."),
        .init(
            "router_retention_headroom_seconds", .gauge,
            "Seconds until retention deletes the partition's oldest record that is not delivered; not there where unknown.",
            labels: ["topic", "partition"]),
        .init("router_build_info", .gauge, "Always 1; the labels say which build is running.", labels: ["version"]),
        .init(
            droppedSeriesName, .counter,
            "Metric handles that are not exposed: too many label values, or one name for two kinds of metric.",
            labels: ["metric"]),
    ]
}
