import ArgumentParser
import Foundation
import RouterCore
import RouterOperations

struct RebuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Puts back the rows that a client's table misses and Kafka still has.",
        discussion: """
            For the day after a restore of ClickHouse. It reads the raw topic below the committed offsets, judges again, and inserts \
            what has no row in any database, under its own coordinates. It may run beside the router, be repeated, and be killed. Records \
            with a dead letter are left to `router dlq replay`. Exit status 2: some records are refused now, which were delivered once.

            Examples: router rebuild 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --dry-run
                      router rebuild 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --since 2026-01-31
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
    var id: ClientID

    @Option(
        help: ArgumentHelp(
            "Only records from this time on: RFC 3339, a date, or how long ago: 2h, 7d.", valueName: "time"))
    var since: String?

    @Flag(help: "Say what would be put back; change nothing.")
    var dryRun = false

    @Flag(help: "Also records with a key that is not the client's any more, if they have no dead letter.")
    var formerKeys = false

    private func sinceMilliseconds() throws -> Int64? {
        guard let since else { return nil }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        guard let time = DeadLetterFilter.milliseconds(since, nowMilliseconds: now) else {
            throw ValidationError(
                "--since is a time such as 2026-01-31T08:00:00Z, a date, or how long ago such as 2h; not '\(since)'.")
        }
        return time
    }

    func validate() throws { _ = try sinceMilliseconds() }

    func run() async throws {
        var options = RebuildOptions(client: id)
        options.sinceMilliseconds = try sinceMilliseconds()
        options.isDryRun = dryRun
        options.takesFormerKeys = formerKeys
        let context = try common.start()
        try await CommandRunner.run {
            let rebuilder = Rebuilder(settings: context.settings, options: options, log: context.log)
            let result = try await rebuilder.rebuild { Terminal.progress("rebuild: \($0)") }
            Terminal.progress("")
            if !dryRun { StandardOutput.outcome(result.lines.joined(separator: " ")) }
            if report.json { try Terminal.printJSON(result) } else { Terminal.printLines(result.lines) }
            if !dryRun, result.refused > 0 { throw ExitStatus.attention }
        }
    }
}
