import ArgumentParser
import RouterCore
import RouterOperations

struct DeprovisionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deprovision",
        abstract: "Ends clients: their events are refused, their databases dropped.",
        discussion: """
            Says what will go, asks for each client's name, and then: the status; running routers let go; what was under way lands; the \
            table is taken out of reach and its rows are counted into Postgres, so that router audit goes on balancing; the database is \
            dropped. Events that come later are dead letters, client_not_active. It can be repeated after a stop at any point.

            Examples: router deprovision 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                      router deprovision 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --export /backup --format parquet --yes
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Argument(
        help: ArgumentHelp("The clients' ids.", valueName: "client-id"), transform: ClientArgument.parse)
    var ids: [ClientID] = []

    @Flag(help: "Leave the database as it is, and only refuse events from now on.")
    var keepData = false

    @Option(
        help: ArgumentHelp(
            "Copy the events into this folder first, with a manifest, and drop only what was found in the files.",
            valueName: "directory"))
    var export: String?

    @Option(help: "Of the files: \(ExportFormat.allCases.map(\.rawValue).joined(separator: " or ")).")
    var format: ExportFormat = .parquet

    @Flag(help: "Only say what would go.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    func validate() throws {
        guard !ids.isEmpty else { throw ValidationError("Name the client to deprovision.") }
        // Each of them is named in one statement: 40 bytes of the 256 KiB that ClickHouse parses by default.
        guard ids.count <= 1000 else { throw ValidationError("At most 1000 clients at a time.") }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let deprovisioner = try Deprovisioner(settings: context.settings, log: context.log)
            defer { deprovisioner.shutdown() }
            let plans = try await deprovisioner.plan(ids)
            if dryRun { return try show(plans) }
            if !yes {
                for plan in plans {
                    Terminal.printFields(plan.fields, toStandardError: true)
                    try Confirmation.ask(
                        forName: plan.clientName,
                        what: keepData ? "deprovisioning a client" : "dropping a client's database")
                }
            } else if !report.json {
                try show(plans)
                // What cannot be taken back is not done where nobody can see what it is.
                try StandardOutput.settle(orElse: "nothing was deprovisioned")
            }
            var options = Deprovisioner.Options()
            options.keepData = keepData
            options.export = export.map { ($0, format) }
            let clients = plans.compactMap { ClientID($0.clientID) }
            let result = try await deprovisioner.deprovision(clients, options) {
                Terminal.progress("deprovision: \($0)")
            }
            Terminal.progress("")
            StandardOutput.outcome(Self.lines(result, isStyled: false).joined(separator: "; "))
            if report.json {
                try Terminal.printJSON(result)
            } else {
                Terminal.printLines(Self.lines(result, isStyled: true))
            }
            if !result.isComplete { throw ExitStatus.attention }
        }
    }

    private func show(_ plans: [DeprovisionPlan]) throws {
        if report.json { return try Terminal.printJSON(["clients": plans]) }
        for plan in plans { Terminal.printFields(plan.fields + [("", "")].filter { _ in plans.count > 1 }) }
    }

    private static func lines(_ result: DeprovisionReport, isStyled: Bool) -> [String] {
        result.clients.map { client in
            var text =
                switch client.outcome {
                case .dropped: "database dropped, \(client.rows.grouped) rows"
                case .kept: "database kept, \(client.rows.grouped) rows"
                case .unchanged: "gone already, \(client.rows.grouped) rows"
                case .failed: "not finished"
                }
            if let export = client.export {
                text += "; exported to \(export.directory): \(export.files) files"
            }
            if let detail = client.detail { text += ": " + TextTable.oneLine(detail) }
            let style: Terminal.Style = client.outcome == .failed ? .red : .green
            return "\(client.clientID)  \(isStyled ? Terminal.styled(client.status, style) : client.status), \(text)"
        }
    }
}

extension ExportFormat: ExpressibleByArgument {}
