import ArgumentParser
import Foundation
import Logging
import Metrics
import RouterConfiguration
import RouterHTTP
import RouterService
import ServiceLifecycle

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Routes events from Kafka to ClickHouse until it is stopped.",
        discussion: """
            SIGTERM and SIGINT end it in order: what was read is delivered, within ROUTER_SHUTDOWN_TIMEOUT_MS. It says how it is on \
            ROUTER_HTTP_PORT: /healthz, /readyz, /metrics, /api/status.

            Example:
              router run --until-caught-up --json
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Flag(help: "End, with status 0, once everything that was in the topic at the start is delivered.")
    var untilCaughtUp = false

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let metrics = PrometheusMetrics()
            MetricsSystem.bootstrap(metrics)
            let latency = metrics.histogram("router_event_latency_seconds")
            let service = try RouterService(
                settings: context.settings, untilCaughtUp: untilCaughtUp, log: context.log
            ) { latency.record($0, count: $1) }
            let http = HTTPService(
                host: context.settings.http.host, port: context.settings.http.port,
                sources: HTTPSources(service: service, metrics: metrics))
            let address = try http.bind()
            try await serve(service, http, context.log) {
                context.log.notice(
                    "router starts",
                    metadata: [
                        "version": "\(BuildInformation.version)", "http": "\(address)",
                        "topic": "\(context.settings.kafka.rawTopic)", "group": "\(context.settings.kafka.groupID)",
                    ])
            }
            try printSummary(service.board.current)
        }
    }

    /// The service ends first, while the endpoints still tell how far it is.
    private func serve(
        _ service: RouterService, _ http: HTTPService, _ log: Logger, started: @escaping @Sendable () -> Void
    ) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: Endpoints(http: http, started: started)),
                    .init(
                        service: BlockingService(service: service),
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: log))
        try await group.run()
    }

    private func printSummary(_ status: ServiceStatus) throws {
        let dead = status.dead_lettered.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let summary =
            "consumed \(status.consumed), delivered \(status.delivered), dead letters "
            + "\(status.dead_lettered.values.reduce(0, +))"
            + (dead.isEmpty ? "" : " (\(dead.joined(separator: ", ")))")
        StandardOutput.outcome(summary)
        if report.json { return try Terminal.printJSON(status) }
        if untilCaughtUp { Terminal.printLines([summary]) }
    }
}

/// The pipeline blocks a thread; this lends it one and waits for it.
struct BlockingService: Service {
    let service: RouterService

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                // Not one of Swift's own threads: there are as many as cores, and this one is never given back.
                Thread.detachNewThread { done.resume(with: Result { try service.run() }) }
            }
        } onGracefulShutdown: {
            service.stop()
        }
    }
}

struct Endpoints: Service {
    let http: HTTPService
    /// Called once signals are handled, so that whoever waits for the first line of the log may send one.
    let started: @Sendable () -> Void

    func run() async throws {
        started()
        await cancelWhenGracefulShutdown {
            // It is ended by cancellation, which is no failure; what fails while serving is in the log.
            try? await http.run()
        }
    }
}
