import ArgumentParser
import RouterOperations

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks every server, setting and right that the router depends on.",
        discussion: """
            It changes nothing (it commits an offset in a Kafka group of its own, and removes it), may run beside the router, and \
            ends within a minute, also when a server is away or frozen.

            Exit status: 0 all is well, warnings included; 2 something needs a person; 1 something could not be looked at, a \
            server that is away above all.

            Examples:
              router doctor
              router doctor --json | jq '.checks[] | select(.outcome != "ok")'
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Flag(name: .shortAndLong, help: "Show only what is not ok.")
    var quiet = false

    func run() async throws {
        let context = try common.start()
        let result = await Doctor(settings: context.settings, log: context.log).examine(progress: Terminal.progress)
        if report.json { try Terminal.printJSON(result) } else { print(result) }
        switch result.verdict {
        case .well: break
        case .faults: throw ExitStatus.attention
        case .incomplete: throw ExitStatus.failure
        }
    }

    private func print(_ result: DoctorReport) {
        for check in result.checks where !quiet || check.outcome != .ok {
            let word = check.outcome.rawValue
            let blanks = String(repeating: " ", count: 7 - word.count)
            let name = check.name + String(repeating: " ", count: max(0, 24 - check.name.count))
            Terminal.printLines(
                TextWrap.lines(
                    check.detail, first: "\(Terminal.styled(word, Self.style(check.outcome)))\(blanks)  \(name)  ",
                    indent: 35))
            if let advice = check.advice { Terminal.printLines(TextWrap.lines(advice, first: Self.arrow, indent: 35)) }
        }
        Terminal.printLines(["", Terminal.styled(result.summary, result.verdict == .well ? .green : .red)])
    }

    private static let arrow = String(repeating: " ", count: 32) + "-> "

    private static func style(_ outcome: DoctorCheck.Outcome) -> Terminal.Style {
        switch outcome {
        case .ok: .green
        case .warning: .yellow
        case .fault, .unknown: .red
        }
    }
}
