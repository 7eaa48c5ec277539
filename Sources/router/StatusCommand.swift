import ArgumentParser
import RouterOperations

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows on one screen whether work moves.",
        discussion: """
            Members, lag, rates, the oldest event that waits, the last hour's dead letters, open circuits and pauses: from Kafka, \
            Postgres, and the routers that answer over HTTP. It takes a little more than a second, because it measures rates, and \
            some seconds more where old events wait and nothing is committed.

            Exit status: 0 all is well, 2 something needs a person, 1 a server, or a router with work to do, could not be asked; \
            with --watch 0.

            Examples:
              router status
              router status --watch
              router status --url http://router-1:8080 --url http://router-2:8080 --json
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Option(
        help: ArgumentHelp(
            "A running router to ask; without it the one at ROUTER_HTTP_HOST and _PORT. Repeatable.", valueName: "url"))
    var url: [String] = []

    @Flag(help: "Again and again until Ctrl-C: redrawn on a terminal, else one block after the other.")
    var watch = false

    @Option(help: ArgumentHelp("Seconds between two looks with --watch.", valueName: "seconds"))
    var interval: Double = 2

    func validate() throws {
        guard !(watch && report.json) else { throw ValidationError("--watch is for people: leave out --json.") }
        guard interval >= 0.1, interval <= 3600 else { throw ValidationError("--interval is 0.1 to 3600 seconds.") }
        guard url.allSatisfy({ $0.hasPrefix("http://") || $0.hasPrefix("https://") }) else {
            throw ValidationError("--url starts with http:// or https://.")
        }
    }

    func run() async throws {
        let context = try common.start()
        let reader = StatusReader(settings: context.settings, urls: url, log: context.log)
        guard !watch else { return try await follow(reader) }
        let status = await reader.read()
        if report.json { try Terminal.printJSON(status) } else { Terminal.printLines(Self.lines(status)) }
        switch status.verdict {
        case .well: break
        case .attention: throw ExitStatus.attention
        case .incomplete: throw ExitStatus.failure
        }
    }

    private func follow(_ reader: StatusReader) async throws {
        while true {
            let lines = Self.lines(await reader.read())
            if Terminal.isOutputTerminal { Terminal.redraw(lines) } else { Terminal.printLines(lines + [""]) }
            try StandardOutput.check()
            try await Task.sleep(for: .seconds(interval))
        }
    }

    private static func lines(_ status: StatusReport) -> [String] {
        status.lines { text, verdict in Terminal.styled(text, verdict == .well ? .green : .red) }
    }
}
