/// All series of one metric. It lives under the lock of `PrometheusMetrics`.
struct MetricFamily {
    struct Entry {
        var series: MetricSeries
        /// Handles given out and not destroyed; with the last one the series goes.
        var references: Int
    }

    var description: MetricDescription
    var entries: [String: Entry] = [:]
    /// Takes what is recorded for series beyond the limit, and is not exposed.
    var overflow: MetricSeries

    /// - Parameter isListed: whether it is in the table of metrics; what is there without labels exists from the start.
    init(_ description: MetricDescription, isListed: Bool) {
        self.description = description
        overflow = Self.series(description, labels: "")
        if isListed, description.labels.isEmpty {
            entries[""] = Entry(series: Self.series(description, labels: ""), references: 1)
        }
    }

    static func series(_ description: MetricDescription, labels: String) -> MetricSeries {
        switch description.kind {
        case .counter: CounterSeries(name: description.name, labels: labels)
        case .gauge: GaugeSeries(name: description.name, labels: labels)
        case .histogram: HistogramSeries(name: description.name, labels: labels, buckets: description.buckets)
        }
    }

    /// The series of these labels, made when it is not there; nil when there are too many.
    mutating func acquire(_ labels: String, limit: Int) -> MetricSeries? {
        if entries[labels] == nil {
            guard entries.count < limit else { return nil }
            entries[labels] = Entry(series: Self.series(description, labels: labels), references: 0)
        }
        entries[labels]?.references += 1
        return entries[labels]?.series
    }

    mutating func release(_ series: MetricSeries) {
        guard let entry = entries[series.labels], entry.series === series else { return }
        entries[series.labels]?.references -= 1
        if entry.references <= 1 { entries[series.labels] = nil }
    }
}
