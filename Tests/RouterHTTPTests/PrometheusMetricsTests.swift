import CoreMetrics
import Foundation
import Testing

@testable import RouterHTTP

@Suite struct PrometheusMetricsTests {
    @Test func everythingWithoutLabelsExistsFromTheStart() throws {
        let exposition = try Exposition(PrometheusMetrics().exposition())
        for metric in MetricDescription.all {
            switch (metric.labels.isEmpty, metric.kind) {
            case (true, .histogram):
                #expect(exposition.value(metric.name + "_count") == 0)
                #expect(exposition.value(metric.name + "_sum") == 0)
            case (true, _): #expect(exposition.value(metric.name) == 0, "\(metric.name)")
            case (false, _): #expect(exposition.types[metric.name] == nil, "\(metric.name)")
            }
        }
    }

    @Test func theNamesAreThoseOfTheContract() {
        let names = Set(MetricDescription.all.map { "\($0.name){\($0.labels.joined(separator: ","))}" })
        #expect(
            names.isSuperset(of: [
                "router_events_consumed_total{}", "router_events_delivered_total{client}",
                "router_events_dead_lettered_total{reason}", "router_consumer_lag{topic,partition}",
                "router_insert_duration_seconds{}", "router_event_latency_seconds{}", "router_inserts_total{outcome}",
                "router_client_cache_lookups_total{level,result}", "router_buffered_bytes{}",
                "router_paused_partitions{}", "router_build_info{version}",
            ]))
        #expect(Set(MetricDescription.all.map(\.name)).count == MetricDescription.all.count)
        #expect(MetricDescription.all.allSatisfy { !$0.help.isEmpty && $0.buckets == $0.buckets.sorted() })
        #expect(MetricDescription.all.allSatisfy { ($0.kind == .histogram) == !$0.buckets.isEmpty })
    }

    @Test func swiftMetricsEndsHere() throws {
        let metrics = PrometheusMetrics()
        Counter(label: "router_events_consumed_total", dimensions: [], factory: metrics).increment(by: 3)
        Counter(label: "router_inserts_total", dimensions: [("outcome", "ok")], factory: metrics).increment()
        FloatingPointCounter(label: "cpu_seconds_total", dimensions: [], factory: metrics).increment(by: 0.25)
        Gauge(label: "router_buffered_bytes", dimensions: [], factory: metrics).record(17)
        let meter = Meter(label: "level", dimensions: [], factory: metrics)
        meter.set(2.5)
        meter.increment(by: 1)
        meter.decrement(by: 0.5)
        Timer(label: "router_insert_duration_seconds", dimensions: [], factory: metrics).recordNanoseconds(20_000_000)
        Recorder(label: "sizes", dimensions: [], aggregate: true, factory: metrics).record(7)
        let exposition = try Exposition(metrics.exposition())
        #expect(exposition.value("router_events_consumed_total") == 3)
        #expect(exposition.value("router_inserts_total", ["outcome": "ok"]) == 1)
        #expect(exposition.value("cpu_seconds_total") == 0.25)
        #expect(exposition.value("router_buffered_bytes") == 17)
        #expect(exposition.value("level") == 3)
        #expect(exposition.value("router_insert_duration_seconds_bucket", ["le": "0.01"]) == 0)
        #expect(exposition.value("router_insert_duration_seconds_bucket", ["le": "0.025"]) == 1)
        #expect(exposition.value("router_insert_duration_seconds_sum") == 0.02)
        #expect(exposition.value("sizes_bucket", ["le": "10"]) == 1)
        #expect(exposition.types["cpu_seconds_total"] == "counter" && exposition.types["level"] == "gauge")
    }

    @Test func aHistogramsEdges() throws {
        let metrics = PrometheusMetrics(descriptions: [MetricDescription("h", .histogram, "", buckets: [1, 2])])
        let histogram = metrics.histogram("h")
        histogram.record(1, count: 1_000_000)
        histogram.record(1.0000001, count: 2)
        histogram.record(2.1, count: 4)
        histogram.record(-5, count: 8)
        histogram.record(1, count: 0)
        histogram.record(1, count: -1)
        histogram.record(.nan, count: 1)
        histogram.record(.infinity, count: 1)
        let exposition = try Exposition(metrics.exposition())
        #expect(exposition.value("h_bucket", ["le": "1"]) == 1_000_008)
        #expect(exposition.value("h_bucket", ["le": "2"]) == 1_000_010)
        #expect(exposition.value("h_bucket", ["le": "+Inf"]) == 1_000_014)
        #expect(abs((exposition.value("h_sum") ?? 0) - 1_000_010.4) < 0.001)
    }

    @Test func countersOnlyRise() throws {
        let metrics = PrometheusMetrics()
        let counter = metrics.counter("c")
        counter.increment(by: Int64(5))
        counter.increment(by: Int64(-1))
        counter.increment(by: 0.5)
        counter.increment(by: -0.5)
        counter.increment(by: Double.nan)
        counter.increment(by: Double.infinity)
        #expect(try Exposition(metrics.exposition()).value("c") == 5.5)
        counter.reset()
        #expect(try Exposition(metrics.exposition()).value("c") == 0)
    }

    @Test(arguments: [
        "plain", "", "quote\" back\\slash new\nline", "\r\n", "\\n", "ä🚀\u{0}\u{2028}", "a=\"b\",c", "}", " {} 1",
        "\"\r\n\u{301}\\",
    ])
    func labelValuesSurvive(_ value: String) throws {
        let metrics = PrometheusMetrics()
        metrics.counter("c", labels: [("l", value)]).increment(by: Int64(1))
        metrics.histogram("h", labels: [("l", value), ("le", value)]).record(1, count: 1)
        let exposition = try Exposition(metrics.exposition())
        #expect(exposition.value("c", ["l": value]) == 1)
        #expect(exposition.value("h_count", ["l": value, "exported_le": value]) == 1)
    }

    @Test func namesAreMadeValid() throws {
        let metrics = PrometheusMetrics()
        for (index, name) in ["a.b-c", "1st", "", "ä", "a:b"].enumerated() {
            metrics.counter(name, labels: [("l.\(index)", "x"), ("__own", "y"), ("", "z")]).increment(by: Int64(1))
        }
        let exposition = try Exposition(metrics.exposition())
        for (index, name) in ["a_b_c", "_1st", "_", "__", "a:b"].enumerated() {
            #expect(exposition.value(name, ["l_\(index)": "x", "exported___own": "y", "_": "z"]) == 1, "\(name)")
        }
    }

    @Test func labelsInAnyOrderAreTheSameSeries() throws {
        let metrics = PrometheusMetrics()
        let first = metrics.counter("c", labels: [("a", "1"), ("b", "2")])
        #expect(first === metrics.counter("c", labels: [("b", "2"), ("a", "1"), ("a", "3")]))
        #expect(first !== metrics.counter("c", labels: [("a", "2"), ("b", "1")]))
    }

    @Test func seriesAreLimitedPerName() throws {
        let metrics = PrometheusMetrics(maxSeriesPerName: 3)
        for index in 0..<5 { metrics.counter("c", labels: [("i", "\(index)")]).increment(by: Int64(1)) }
        metrics.counter("c", labels: [("i", "0")]).increment(by: Int64(1))
        let exposition = try Exposition(metrics.exposition())
        #expect(exposition.samples.filter { $0.name == "c" }.count == 3)
        #expect(exposition.value("c", ["i": "0"]) == 2)
        #expect(exposition.value("c", ["i": "3"]) == nil)
        #expect(exposition.value("router_metrics_dropped_series_total", ["metric": "c"]) == 2)
    }

    @Test func namesAreLimited() throws {
        let metrics = PrometheusMetrics(descriptions: MetricDescription.all)
        let free = PrometheusMetrics.maxNames - MetricDescription.all.count
        for index in 0..<free + 2 { metrics.counter("n\(index)").increment(by: Int64(1)) }
        let exposition = try Exposition(metrics.exposition())
        #expect(exposition.value("n\(free - 1)") == 1)
        #expect(exposition.value("n\(free)") == nil)
        #expect(exposition.value("router_metrics_dropped_series_total", ["metric": "other"]) == 2)
    }

    @Test func aNameIsOneKindOfMetric() throws {
        let metrics = PrometheusMetrics()
        metrics.counter("x").increment(by: Int64(1))
        metrics.gauge("x").set(5.0)
        metrics.counter("router_buffered_bytes").increment(by: Int64(1))
        // A histogram `y` exposes `y_sum` itself.
        metrics.histogram("y").record(1, count: 1)
        metrics.gauge("y_sum").set(5.0)
        metrics.gauge("z_count").set(5.0)
        metrics.histogram("z").record(1, count: 1)
        let exposition = try Exposition(metrics.exposition())
        #expect(exposition.value("x") == 1)
        #expect(exposition.value("router_buffered_bytes") == 0)
        #expect(exposition.value("y_sum") == 1)
        #expect(exposition.types["z"] == nil)
        #expect(exposition.value("router_metrics_dropped_series_total", ["metric": "x"]) == 1)
    }

    @Test func aSeriesGoesWithItsLastHandle() throws {
        let metrics = PrometheusMetrics()
        let one = Counter(label: "c", dimensions: [("l", "x")], factory: metrics)
        let two = Counter(label: "c", dimensions: [("l", "x")], factory: metrics)
        one.destroy()
        two.increment()
        #expect(try Exposition(metrics.exposition()).value("c", ["l": "x"]) == 1)
        two.destroy()
        #expect(try Exposition(metrics.exposition()).types["c"] == nil)
        Counter(label: "router_events_consumed_total", dimensions: [], factory: metrics).destroy()
        #expect(try Exposition(metrics.exposition()).value("router_events_consumed_total") == 0)
    }

    @Test func gaugesCanBeReadBeforeAnExposition() throws {
        let metrics = PrometheusMetrics()
        let gauge = metrics.gauge("router_buffered_bytes")
        metrics.beforeExposition { gauge.set(Int64(42)) }
        #expect(try Exposition(metrics.exposition()).value("router_buffered_bytes") == 42)
    }

    /// Increments of many threads are all there, and what is read meanwhile is whole.
    @Test func manyThreadsLoseNothing() async throws {
        let metrics = PrometheusMetrics()
        let threads = 8
        let each = 20_000
        try await withThrowingTaskGroup(of: Void.self) { group in
            for thread in 0..<threads {
                group.addTask {
                    let counter = metrics.counter("router_events_consumed_total")
                    let histogram = metrics.histogram("router_event_latency_seconds")
                    let gauge = metrics.gauge("g")
                    for step in 0..<each {
                        counter.increment(by: Int64(1))
                        counter.increment(by: 0.5)
                        gauge.increment(by: 1)
                        histogram.record(0.25, count: 2)
                        if step % 100 == 0 {
                            metrics.counter("new", labels: [("t", "\(thread)"), ("s", "\(step)")]).increment(
                                by: Int64(1))
                        }
                    }
                }
            }
            group.addTask {
                for _ in 0..<5 { _ = try Exposition(metrics.exposition()) }
            }
            try await group.waitForAll()
        }
        let exposition = try Exposition(metrics.exposition())
        let total = Double(threads * each)
        #expect(exposition.value("router_events_consumed_total") == total * 1.5)
        #expect(exposition.value("router_event_latency_seconds_count") == total * 2)
        #expect(exposition.value("router_event_latency_seconds_sum") == total / 2)
        #expect(exposition.value("g") == total)
        #expect(exposition.samples.filter { $0.name == "new" }.count == threads * each / 100)
    }

    @Test(arguments: [
        (0, "0"), (-0.0, "0"), (1e15, "1000000000000000"), (0.1, "0.1"), (Double.infinity, "+Inf"),
        (-Double.infinity, "-Inf"), (Double.nan, "NaN"), (1e300, "1e+300"), (Double.leastNonzeroMagnitude, "5e-324"),
        (-9_007_199_254_740_991, "-9007199254740991"),
    ])
    func numbersAsGoReadsThem(_ value: Double, _ text: String) {
        #expect(MetricText.number(value) == text)
    }

    @Test func theProcessIsMeasured() throws {
        let exposition = try Exposition(PrometheusMetrics().exposition())
        let memory = try #require(exposition.value("process_resident_memory_bytes"))
        let cpu = try #require(exposition.value("process_cpu_seconds_total"))
        let start = try #require(exposition.value("process_start_time_seconds"))
        // Against the kernel's other account of the same: VmRSS in kilobytes.
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        let kilobytes = try #require(
            line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { Double($0) })
        #expect(memory > kilobytes * 1024 / 2 && memory < kilobytes * 1024 * 2)
        #expect(cpu > 0)
        #expect(start > 1_600_000_000 && start <= Date().timeIntervalSince1970 + 1)
    }
}
