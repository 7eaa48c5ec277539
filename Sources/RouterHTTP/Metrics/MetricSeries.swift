import CoreMetrics
import Synchronization

/// One time series: a metric with one set of label values. Threads record into it at any time; a handle is kept by who
/// records often, because finding it again takes a lock.
public class MetricSeries: @unchecked Sendable {
    // Not final, and so not checked by the compiler: the two constants here and the atomics and locks of the
    // subclasses are all the state there is.

    /// The metric's name, and its labels as they are exposed.
    let name: String
    let labels: String

    init(name: String, labels: String) {
        self.name = name
        self.labels = labels
    }

    /// The lines of the exposition for this series.
    func render(into text: inout String) {}

    fileprivate var labelsInBraces: String { labels.isEmpty ? "" : "{\(labels)}" }
}

/// Only grows. Whole numbers and fractions are counted apart, so that counting events stays one atomic addition.
public final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler, @unchecked Sendable {
    private let whole = Atomic<Int64>(0)
    private let fractional = AtomicDouble(0)

    /// What is not positive is ignored: a counter does not fall.
    public func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(amount, ordering: .relaxed)
    }

    public func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fractional.add(amount)
    }

    public func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.store(0)
    }

    override func render(into text: inout String) {
        let (whole, fractional) = (whole.load(ordering: .relaxed), fractional.load())
        let value = fractional == 0 ? String(whole) : MetricText.number(Double(whole) + fractional)
        text += "\(name)\(labelsInBraces) \(value)\n"
    }
}

/// A value that goes up and down.
public final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler, @unchecked Sendable {
    private let value = AtomicDouble(0)

    public func set(_ value: Int64) { self.value.store(Double(value)) }
    public func set(_ value: Double) { self.value.store(value) }
    public func increment(by amount: Double) { value.add(amount) }
    public func decrement(by amount: Double) { value.add(-amount) }
    public func record(_ value: Int64) { set(value) }
    public func record(_ value: Double) { set(value) }

    override func render(into text: inout String) {
        text += "\(name)\(labelsInBraces) \(MetricText.number(value.load()))\n"
    }
}

/// How often values fell into which range. The timers and recorders of swift-metrics end here.
public final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler, @unchecked Sendable {
    private struct State {
        /// One per bucket, the infinite one last; not cumulative.
        var counts: [UInt64]
        var sum: Double = 0
    }

    /// Upper bounds, ascending, without the infinite one.
    private let buckets: [Double]
    private let state: Mutex<State>

    init(name: String, labels: String, buckets: [Double]) {
        self.buckets = buckets
        state = Mutex(State(counts: Array(repeating: 0, count: buckets.count + 1)))
        super.init(name: name, labels: labels)
    }

    /// Records the same value several times at the price of one: a batch's events are one call per latency, not a
    /// million.
    ///
    /// A negative value counts as 0: durations over two machines' clocks come out so, and the sum must not fall. What
    /// is no number is ignored.
    public func record(_ value: Double, count: Int) {
        guard count > 0, value.isFinite else { return }
        let value = max(0, value)
        let bucket = buckets.firstIndex { value <= $0 } ?? buckets.count
        state.withLock { state in
            state.counts[bucket] &+= UInt64(count)
            state.sum += value * Double(count)
        }
    }

    public func record(_ value: Double) { record(value, count: 1) }
    public func record(_ value: Int64) { record(Double(value), count: 1) }
    /// Prometheus' unit for time is the second.
    public func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9, count: 1) }

    override func render(into text: inout String) {
        let state = state.withLock { $0 }
        let separator = labels.isEmpty ? "" : ","
        var cumulative: UInt64 = 0
        for (index, count) in state.counts.enumerated() {
            cumulative &+= count
            let bound = index < buckets.count ? MetricText.number(buckets[index]) : "+Inf"
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(cumulative)\n"
        }
        text += "\(name)_sum\(labelsInBraces) \(MetricText.number(state.sum))\n"
        text += "\(name)_count\(labelsInBraces) \(cumulative)\n"
    }
}

/// A `Double` kept as its bits: there is no atomic `Double`.
private struct AtomicDouble: ~Copyable, Sendable {
    private let bits: Atomic<UInt64>

    init(_ value: Double) {
        bits = Atomic(value.bitPattern)
    }

    func load() -> Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
    func store(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: current) + amount
            let (exchanged, original) = bits.weakCompareExchange(
                expected: current, desired: sum.bitPattern, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}

enum MetricText {
    /// As Go's `ParseFloat` reads it; whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        // Beyond 2^53 not every whole number is a Double, and the short form says no less.
        if value == value.rounded(), abs(value) < 9_007_199_254_740_992 { return String(Int64(value)) }
        return "\(value)"
    }
}
