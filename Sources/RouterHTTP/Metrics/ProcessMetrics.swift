import Foundation

/// What the kernel counts for this process, under the names that Prometheus' own clients use.
struct ProcessMetrics {
    var residentMemoryBytes: Int
    var cpuSeconds: Double
    /// Seconds since 1970.
    var startTimeSeconds: Double

    /// Nil where /proc is not there or says something else: the other metrics are worth having without these.
    static func current() -> ProcessMetrics? {
        guard let stat = read("/proc/self/stat"), let boot = bootTimeSeconds() else { return nil }
        // The second field is the program's name in parentheses and may hold anything, so count from its end. proc(5)
        // numbers the fields from 1; the first after the parenthesis is the third.
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) }
        func field(_ number: Int) -> Double? {
            fields.indices.contains(number - 3) ? fields[number - 3] : nil
        }
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
        guard let user = field(14), let system = field(15), let start = field(22), let pages = field(24),
            ticksPerSecond > 0
        else { return nil }
        return ProcessMetrics(
            residentMemoryBytes: Int(pages) * pageBytes, cpuSeconds: (user + system) / ticksPerSecond,
            startTimeSeconds: boot + start / ticksPerSecond)
    }

    /// Read every time: it shifts when the machine's clock is set.
    private static func bootTimeSeconds() -> Double? {
        let line = read("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst("btime ".count)) }
    }

    private static func read(_ path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }

    func render(into text: inout String) {
        let metrics: [(name: String, kind: MetricKind, help: String, value: Double)] = [
            ("process_cpu_seconds_total", .counter, "CPU time of the process, user and system.", cpuSeconds),
            (
                "process_resident_memory_bytes", .gauge, "Memory of the process that is in RAM.",
                Double(residentMemoryBytes)
            ),
            ("process_start_time_seconds", .gauge, "When the process started, since 1970.", startTimeSeconds),
        ]
        for metric in metrics {
            text += "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
            text += "\(metric.name) \(MetricText.number(metric.value))\n"
        }
    }
}
