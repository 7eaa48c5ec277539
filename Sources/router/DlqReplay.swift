import ArgumentParser
import Foundation
import RouterOperations
import Synchronization

struct DlqReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Judges dead letters again and delivers those that can be delivered now.",
        discussion: """
            Rows go in under the origins' coordinates; an origin that has a row is passed over, so a replay can be repeated and killed at \
            will. What fails again stays a dead letter, and the exit status is 2; so it is where one client's table cannot be read: its letters \
            are left alone. --dry-run says what would happen and changes nothing.

            --jq puts every value through one jq program first. No output leaves the dead letter as it is; a value that is not JSON \
            comes as a string. jq keeps numbers as doubles: integers above 2^53 lose digits.

            Examples: router dlq replay --reason destination_unavailable --client 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                      router dlq replay --reason missing_field --jq '.event_name //= "unknown"' --dry-run
                      router dlq replay --reason destination_unavailable --follow
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var filters: DlqFilterOptions

    @Option(help: "At most so many that have no row yet, in the order of the dead-letter topic.")
    var limit: Int?

    @Flag(help: "Say what would be delivered, and what would fail again and why; change nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("At most so many dead letters a second.", valueName: "dead letters"))
    var rate: Double?

    @Option(help: "Leave alone what replays have tried so often in vain.")
    var maxAttempts: Int?

    @Option(
        // A program may begin with a minus.
        parsing: .unconditional,
        help: ArgumentHelp("A fix-up of each value, by the program jq.", valueName: "program"))
    var jq: String?

    @Flag(help: "Go on until stopped: what comes in, and what failed, again at growing pauses.")
    var follow = false

    @Option(help: ArgumentHelp("With --follow: seconds between two looks at the topic.", valueName: "seconds"))
    var interval: Double = 10

    func validate() throws {
        _ = try filters.filter()
        try DlqFilterOptions.check(limit: limit)
        if let rate, !(rate > 0 && rate <= 1e9) { throw ValidationError("--rate has to be above 0.") }
        if let maxAttempts, maxAttempts < 1 { throw ValidationError("--max-attempts has to be 1 or more.") }
        if !(0.1...86_400).contains(interval) { throw ValidationError("--interval is 0.1 to 86400 seconds.") }
        if follow, dryRun { throw ValidationError("--follow and --dry-run exclude each other.") }
        if follow, limit != nil { throw ValidationError("--follow and --limit exclude each other.") }
    }

    func run() async throws {
        var options = ReplayOptions(filter: try filters.filter())
        options.limit = limit
        options.isDryRun = dryRun
        options.ratePerSecond = rate
        options.maxAttempts = maxAttempts
        options.jq = jq
        let context = try common.start()
        try await CommandRunner.run {
            let replay = try DeadLetterReplay(settings: context.settings, options: options, log: context.log)
            if follow { return try await follow(replay, context) }
            let result = try await replay.replay { Terminal.progress("replay: \($0)") }
            Terminal.progress("")
            if !dryRun {
                StandardOutput.outcome("\(result.delivered.grouped) delivered, \(result.failed.grouped) failed again")
            }
            if report.json { try Terminal.printJSON(result) } else { Self.print(result) }
            if result.needsPerson { throw ExitStatus.attention }
        }
    }

    private static func print(_ result: ReplayReport) {
        Terminal.print(result.table)
        if !result.remarks.isEmpty { Terminal.printLines([""] + result.remarks.map { TextTable.oneLine($0) }) }
    }

    /// Until SIGTERM or SIGINT: the part at hand is finished first.
    private func follow(_ replay: DeadLetterReplay, _ context: CommandContext) async throws {
        StopSignal.install()
        context.log.notice(
            "replay follows the dead-letter topic", metadata: ["topic": "\(context.settings.kafka.deadLetterTopic)"])
        try await replay.follow(
            intervalMilliseconds: Int(interval * 1000), shouldStop: { StopSignal.isRaised }
        ) { round in
            context.log.notice(
                "replay round",
                metadata: [
                    "delivered": "\(round.delivered)", "failed": "\(round.failed)", "skipped": "\(round.skipped)",
                ])
        }
        StandardOutput.outcome("the replay was stopped, with its last part finished")
        if report.json { try Terminal.printJSON(["stopped": true]) }
    }
}

/// Notes that SIGTERM or SIGINT has come, instead of dying of it.
private enum StopSignal {
    private static let raised = Atomic<Bool>(false)

    static func install() {
        // Made before the handlers are there: those may do nothing but store.
        raised.store(false, ordering: .relaxed)
        for number in [SIGTERM, SIGINT] { signal(number) { _ in StopSignal.raised.store(true, ordering: .relaxed) } }
    }

    static var isRaised: Bool { raised.load(ordering: .relaxed) }
}
