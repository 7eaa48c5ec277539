import ArgumentParser
import RouterCore
import RouterOperations

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Proves that every event is a row or a dead letter, or names those that are not.",
        discussion: """
            Judges every record of the raw topic that can be read and is below the group's committed offset, and changes nothing. It may \
            run beside the router. Exit status: 0 balanced; 2 not: something is missing, double, misplaced or lost, or a client's table could \
            not be read; 1 when a server could not be asked.

            Examples:
              router audit
              router audit --client 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --json
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Option(
        help: ArgumentHelp("Judge only records that name this client, and its database.", valueName: "client-id"),
        transform: ClientArgument.parse)
    var client: ClientID?

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let auditor = Auditor(settings: context.settings, log: context.log)
            let result = try await auditor.audit(client: client) { Terminal.progress("audit: \($0)") }
            Terminal.progress("")
            if report.json { try Terminal.printJSON(result) } else { Self.print(result) }
            if !result.balanced { throw ExitStatus.attention }
        }
    }

    private static func print(_ result: AuditReport) {
        Terminal.print(result.partitionTable)
        for table in [result.clientTable, result.reasonTable] where !table.isEmpty {
            Terminal.printLines([""])
            Terminal.print(table)
        }
        if !result.findings.isEmpty { Terminal.printLines([""] + result.findings) }
        let remarks = result.remarks.map { "Note: \(TextTable.oneLine($0))" }
        for remark in remarks { Terminal.printLines([""] + TextWrap.lines(remark, first: "", indent: 0)) }
        let verdict = TextWrap.lines(result.verdict, first: "", indent: 0)
        Terminal.printLines([""] + verdict.map { Terminal.styled($0, result.balanced ? .green : .red) })
    }
}
