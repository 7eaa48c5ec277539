import Foundation
import RouterHTTP
import RouterService
import Synchronization

extension HTTPSources {
    /// What the endpoints say of this service.
    init(service: RouterService, metrics: PrometheusMetrics) {
        let lookups = LookupCounters(metrics)
        let started = ContinuousClock.now
        metrics.gauge("router_build_info", labels: [("version", BuildInformation.version)]).set(Int64(1))
        metrics.beforeExposition { lookups.update(service) }
        self.init(
            alive: { true },
            readiness: {
                let checks = service.readiness().map {
                    Readiness.Check(name: $0.name, ok: $0.isWell, detail: $0.detail)
                }
                return Readiness(ready: checks.allSatisfy(\.ok), checks: checks)
            },
            metrics: { metrics.exposition() },
            status: {
                var status = service.board.current
                let clients = service.clientStatus
                status.redis_error = clients.redis.error
                status.postgres_error = status.postgres_error ?? clients.postgres.error
                status.uptime_seconds = Double((ContinuousClock.now - started).components.seconds)
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                // Numbers, strings and booleans always encode.
                return ((try? encoder.encode(status)).map { Array($0) } ?? Array("{}".utf8)) + [0x0A]
            })
    }
}

/// `router_client_cache_lookups_total`: the levels count for themselves, and are asked when somebody looks.
private final class LookupCounters: Sendable {
    private let counters: [String: CounterSeries]
    private let last = Mutex<[String: UInt64]>([:])

    init(_ metrics: PrometheusMetrics) {
        var counters: [String: CounterSeries] = [:]
        for level in ["memory", "redis", "postgres"] {
            for result in ["hit", "miss"] {
                counters["\(level) \(result)"] = metrics.counter(
                    "router_client_cache_lookups_total", labels: [("level", level), ("result", result)])
            }
        }
        self.counters = counters
    }

    func update(_ service: RouterService) {
        let clients = service.clientStatus
        let status = service.board.current
        let now: [String: UInt64] = [
            "memory hit": status.directory_hits, "memory miss": status.directory_misses,
            "redis hit": clients.redis.hits, "redis miss": clients.redis.misses,
            "postgres hit": clients.postgres.hits, "postgres miss": clients.postgres.misses,
        ]
        last.withLock { last in
            for (key, value) in now {
                counters[key]?.increment(by: Int64(value &- (last[key] ?? 0)))
                last[key] = value
            }
        }
    }
}
