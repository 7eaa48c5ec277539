import ArgumentParser
import RouterCore
import RouterOperations

struct ProvisionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "provision",
        abstract: "Makes clients' databases and tables, and pending clients active.",
        discussion: """
            It can be repeated, also after it was killed: what is there is checked and left as it is, and it goes on where it \
            stopped. A client that fails does not stop the others; the exit status is then 2.

            Examples: router provision --all
                      router provision 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                      router provision --all --dry-run
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var work: SchemaWorkOptions

    @Flag(help: "Every pending client.")
    var all = false

    @Flag(help: "Print the SQL, and change nothing.")
    var dryRun = false

    @Option(
        help: ArgumentHelp(
            "Make the databases on this cluster, with Replicated engines; migrations follow there.", valueName: "name"))
    var onCluster: String?

    @Flag(help: "A ClickHouse user for each client that reads its own database only; the password is shown once.")
    var withUser = false

    @Flag(help: "Take a database that holds tables already, if its events_base fits and holds no other client's rows.")
    var adopt = false

    @Option(help: ArgumentHelp("The last version to apply; migrate up applies the rest.", valueName: "version"))
    var target: Int?

    @Option(help: ArgumentHelp("How long to wait while somebody changes schemas.", valueName: "seconds"))
    var wait = 60

    @Argument(
        help: ArgumentHelp("The clients' ids.", valueName: "client-id"), transform: ClientArgument.parse)
    var ids: [ClientID] = []

    func validate() throws {
        guard all != !ids.isEmpty else {
            throw ValidationError(
                all ? "Give either --all or clients' ids." : "Name the clients to provision, or give --all.")
        }
        guard (0...86_400).contains(wait) else { throw ValidationError("--wait has to be from 0 to 86400.") }
        if let target, target < 1 { throw ValidationError("--target is a version, from 1.") }
        if let onCluster, onCluster.isEmpty { throw ValidationError("--on-cluster needs the name of a cluster.") }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            var options = Provisioner.Options()
            options.directory = work.migrations
            options.parallel = work.parallel
            options.waitSeconds = wait
            options.target = target
            options.cluster = onCluster
            options.makesUser = withUser
            options.adopts = adopt
            let provisioner = try Provisioner(settings: context.settings, options: options, log: context.log)
            let selection: Provisioner.Selection = all ? .all : .clients(ids)
            if dryRun { return try await SchemaOutput.print(provisioner.dryRun(selection), json: report.json) }
            let result = try await provisioner.provision(selection, word: SchemaOutput.word) { client, done, total in
                if !report.json { SchemaOutput.line(Self.line(client)) }
                Terminal.progress(SchemaOutput.bar("provision", done, total))
            }
            Terminal.progress("")
            try print(result)
        }
    }

    private func print(_ result: ProvisionReport) throws {
        let counts =
            "\(result.count(.provisioned)) provisioned, \(result.count(.unchanged)) unchanged, "
            + "\(result.count(.refused)) refused, \(result.count(.failed)) failed"
        StandardOutput.outcome(([counts] + Self.lostPasswords(result)).joined(separator: "; "))
        if report.json {
            try Terminal.printJSON(result)
        } else if result.clients.isEmpty {
            Terminal.printLines(["There is no pending client."])
        } else if result.clients.count > 1 {
            Terminal.printLines(["\(counts); \(SchemaOutput.rate(result.statements, result.seconds))"])
        }
        if let stopped = result.stopped {
            Terminal.printError("router: \(TextTable.oneLine(stopped)); the clients not listed were not begun")
            throw ExitStatus.failure
        }
        if !result.isComplete { throw ExitStatus.attention }
    }

    /// Nobody has seen the passwords then, and they are kept nowhere.
    private static func lostPasswords(_ result: ProvisionReport) -> [String] {
        let users = result.clients.compactMap { $0.password == nil ? nil : $0.user }
        if users.isEmpty { return [] }
        return [
            "passwords were made that may not have been shown: give these ClickHouse users others (ALTER USER … IDENTIFIED BY …): "
                + users.joined(separator: ", ")
        ]
    }

    private static func line(_ client: ProvisionReport.Client) -> String {
        let style: Terminal.Style =
            switch client.outcome {
            case .provisioned: .green
            case .unchanged: .faint
            case .refused, .failed: .red
            }
        let detail = client.detail.map { ": " + TextTable.oneLine($0) } ?? ""
        let line = "\(client.clientID)  \(Terminal.styled(client.outcome.rawValue, style)), \(client.status)\(detail)"
        guard let user = client.user, let password = client.password else { return line }
        return line + "\n    ClickHouse user \(user), password \(Terminal.styled(password, .bold)) (not shown again)"
    }
}
