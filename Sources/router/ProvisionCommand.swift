import ArgumentParser
import RouterCore
import RouterOperations

struct ProvisionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provision",
        abstract: "Makes clients' databases and tables, and pending clients active.",
        discussion: """
            It can be repeated: what is there is checked and left as it is. A client that fails does not stop the others; the exit \
            status is then 2.

            Examples: router provision --all
                      router provision 1b4e28ba-2fa1-41d2-883f-0016d3cca427
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Flag(help: "Every pending client.")
    var all = false

    @Argument(
        help: ArgumentHelp("The clients' ids.", valueName: "client-id"), transform: ClientArgument.parse)
    var ids: [ClientID] = []

    func validate() throws {
        guard all != !ids.isEmpty else {
            throw ValidationError(
                all ? "Give either --all or clients' ids." : "Name the clients to provision, or give --all.")
        }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let provisioner = try Provisioner(settings: context.settings, log: context.log)
            let result = try await provisioner.provision(all ? .all : .clients(ids)) { client in
                if !report.json { Terminal.printLines([Self.line(client)]) }
            }
            if report.json { try Terminal.printJSON(result) }
            if result.clients.isEmpty, !report.json { Terminal.printLines(["There is no pending client."]) }
            if !result.isComplete { throw ExitStatus.attention }
        }
    }

    private static func line(_ client: ProvisionReport.Client) -> String {
        let style: Terminal.Style =
            switch client.outcome {
            case .provisioned: .green
            case .unchanged: .faint
            case .refused, .failed: .red
            }
        let detail = client.detail.map { ": " + TextTable.oneLine($0) } ?? ""
        return "\(client.clientID)  \(Terminal.styled(client.outcome.rawValue, style)), \(client.status)\(detail)"
    }
}
