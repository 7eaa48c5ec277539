import CoreMetrics
import Synchronization

/// The metrics of the process, exposed as Prometheus' text format 0.0.4.
///
/// It is a `MetricsFactory`: what the program and its libraries record through swift-metrics ends here. Counters are
/// counters, meters and recorders without aggregation are gauges, timers (in seconds) and other recorders are
/// histograms.
public final class PrometheusMetrics: MetricsFactory {
    /// Ten thousand series of one name are a scrape of about a megabyte; more come from a label that is no label.
    public static let maxSeriesPerName = 10_000
    /// Names come from code, so there are dozens.
    public static let maxNames = 1_000
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private struct State {
        var families: [String: MetricFamily] = [:]
        var collectors: [@Sendable () -> Void] = []
    }

    private let state: Mutex<State>
    private let maxSeriesPerName: Int

    /// - Parameters:
    ///   - descriptions: kind, help and buckets by name; other names are taken as they come, with default buckets.
    ///   - maxSeriesPerName: series beyond it are counted in `router_metrics_dropped_series_total`, not exposed.
    public init(
        descriptions: [MetricDescription] = MetricDescription.all,
        maxSeriesPerName: Int = PrometheusMetrics.maxSeriesPerName
    ) {
        self.maxSeriesPerName = maxSeriesPerName
        let families = descriptions.map { ($0.name, MetricFamily($0, isListed: true)) }
        state = Mutex(State(families: Dictionary(families) { first, _ in first }))
    }

    // MARK: - Handles

    /// A handle that counts; the same one for the same name and labels. Keep it where it is used often.
    public func counter(_ name: String, labels: [(String, String)] = []) -> CounterSeries {
        acquire(name, .counter, labels) as? CounterSeries
            ?? CounterSeries(name: name, labels: "")
    }

    public func gauge(_ name: String, labels: [(String, String)] = []) -> GaugeSeries {
        acquire(name, .gauge, labels) as? GaugeSeries
            ?? GaugeSeries(name: name, labels: "")
    }

    public func histogram(_ name: String, labels: [(String, String)] = []) -> HistogramSeries {
        acquire(name, .histogram, labels) as? HistogramSeries
            ?? HistogramSeries(name: name, labels: "", buckets: MetricDescription.defaultBuckets)
    }

    /// Runs before every exposition: for gauges that are read rather than recorded.
    public func beforeExposition(_ collect: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(collect) }
    }

    /// The series, or, where it cannot be exposed, one that takes values and shows them nowhere; a metric never stops
    /// the program. Nil when the name stands for another kind of metric.
    private func acquire(_ rawName: String, _ kind: MetricKind, _ dimensions: [(String, String)]) -> MetricSeries? {
        let name = MetricLabels.metricName(rawName)
        let labels = MetricLabels.rendered(dimensions)
        return state.withLock { state in
            guard let family = state.families[name] ?? Self.newFamily(name, kind, in: state) else {
                Self.countDropped("other", in: &state)
                return nil
            }
            if state.families[name] == nil { state.families[name] = family }
            guard family.description.kind == kind else {
                Self.countDropped(name, in: &state)
                return nil
            }
            if let series = state.families[name]?.acquire(labels, limit: maxSeriesPerName) { return series }
            Self.countDropped(name, in: &state)
            return family.overflow
        }
    }

    /// Nil when there are too many, or when a histogram's `_count` would be another metric's name.
    private static func newFamily(_ name: String, _ kind: MetricKind, in state: State) -> MetricFamily? {
        guard state.families.count < maxNames else { return nil }
        let suffixes = ["_bucket", "_sum", "_count"]
        for suffix in suffixes {
            if kind == .histogram, state.families[name + suffix] != nil { return nil }
            if name.hasSuffix(suffix),
                state.families[String(name.dropLast(suffix.count))]?.description.kind == .histogram
            {
                return nil
            }
        }
        return MetricFamily(
            MetricDescription(name, kind, "", buckets: MetricDescription.defaultBuckets), isListed: false)
    }

    private static func countDropped(_ metric: String, in state: inout State) {
        let labels = MetricLabels.rendered([("metric", metric)])
        let series = state.families[MetricDescription.droppedSeriesName]?.acquire(labels, limit: maxNames + 1)
        (series as? CounterSeries)?.increment(by: Int64(1))
    }

    private func release(_ handler: AnyObject) {
        guard let series = handler as? MetricSeries else { return }
        state.withLock { $0.families[series.name]?.release(series) }
    }

    // MARK: - Exposition

    /// Everything, as UTF-8 text: families by name, series by labels, so that two scrapes can be compared by eye.
    public func exposition() -> [UInt8] {
        for collect in state.withLock({ $0.collectors }) { collect() }
        // Rendered outside the lock: a scrape must not hold up who needs a handle.
        let families = state.withLock { Array($0.families.values) }
        var text = ""
        for family in families.sorted(by: { $0.description.name < $1.description.name }) where !family.entries.isEmpty {
            let description = family.description
            if !description.help.isEmpty {
                text += "# HELP \(description.name) \(MetricLabels.escapedHelp(description.help))\n"
            }
            text += "# TYPE \(description.name) \(description.kind.rawValue)\n"
            for (_, entry) in family.entries.sorted(by: { $0.key < $1.key }) { entry.series.render(into: &text) }
        }
        ProcessMetrics.current()?.render(into: &text)
        return Array(text.utf8)
    }

    // MARK: - MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, labels: dimensions)
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        counter(label, labels: dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, labels: dimensions)
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { histogram(label, labels: dimensions) } else { gauge(label, labels: dimensions) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, labels: dimensions)
    }

    public func destroyCounter(_ handler: any CounterHandler) { release(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { release(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { release(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { release(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { release(handler) }
}
