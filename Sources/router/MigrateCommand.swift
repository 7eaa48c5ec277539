import ArgumentParser
import RouterCore
import RouterOperations

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Brings clients' schemas to the newest version, and says how they are.",
        discussion: """
            A migration is a file vN_name.sql of several statements; docs/MIGRATIONS.md tells how to write one.

            Examples: router migrate status
                      router migrate up --dry-run
                      router migrate up --canary 3
                      router migrate verify
            """,
        subcommands: [
            MigrateUpCommand.self, MigrateStatusCommand.self, MigrateVerifyCommand.self, MigrateNewCommand.self,
            MigrateRepairCommand.self,
        ])

    func run() async throws {
        throw ValidationError("Name what to do: router migrate up, status, verify, new or repair.")
    }
}

/// Which clients, for every way of `migrate`.
struct MigrateSelection: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A client, instead of all that are active or suspended. Repeatable.", valueName: "client-id"),
        transform: ClientArgument.parse)
    var client: [ClientID] = []

    @Option(help: ArgumentHelp("How long to wait for another operator; 0 is not at all.", valueName: "seconds"))
    var wait = 0

    func validate() throws {
        guard (0...86_400).contains(wait) else { throw ValidationError("--wait has to be from 0 to 86400.") }
    }

    func options(_ work: SchemaWorkOptions) -> Migrator.Options {
        var options = Migrator.Options()
        options.directory = work.migrations
        options.parallel = work.parallel
        options.clients = client
        options.waitSeconds = wait
        return options
    }
}

struct MigrateUpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Applies what is missing, client by client.",
        discussion: """
            A client that fails does not stop the others, and goes on at the same statement the next time; the exit status is \
            then 2. Events may be inserted meanwhile. A second operator is refused, or waits with --wait.

            Examples: router migrate up
                      router migrate up --canary 3 --parallel 8
                      router migrate up --target 4 --client 1b4e28ba-2fa1-41d2-883f-0016d3cca427
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var work: SchemaWorkOptions
    @OptionGroup var selection: MigrateSelection

    @Option(help: ArgumentHelp("The last version to apply.", valueName: "version"))
    var target: Int?

    @Option(
        help: ArgumentHelp(
            "So many clients first; the others only if those are well afterwards.", valueName: "count"))
    var canary = 0

    @Option(help: ArgumentHelp("How long one statement may take.", valueName: "seconds"))
    var statementTimeout = Migrator.Options.defaultStatementSeconds

    @Flag(help: "Print the SQL, and change nothing.")
    var dryRun = false

    func validate() throws {
        if let target, target < 1 { throw ValidationError("--target is a version, from 1.") }
        guard (0...100_000).contains(canary) else { throw ValidationError("--canary is a number of clients.") }
        guard (1...604_800).contains(statementTimeout) else {
            throw ValidationError("--statement-timeout has to be from 1 to 604800.")
        }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            var options = selection.options(work)
            options.target = target
            options.canary = canary
            options.statementSeconds = statementTimeout
            let migrator = try Migrator(settings: context.settings, options: options, log: context.log)
            defer { migrator.shutdown() }
            if dryRun { return try await SchemaOutput.print(migrator.dryRun(), json: report.json) }
            let result = try await migrator.up(word: SchemaOutput.word) { client, done, total in
                if !report.json, client.outcome != .unchanged { SchemaOutput.line(Self.line(client)) }
                Terminal.progress(SchemaOutput.bar("migrate", done, total))
            }
            Terminal.progress("")
            try print(result)
        }
    }

    private func print(_ result: MigrationReport) throws {
        let notStarted = result.count(.notStarted)
        let counts =
            "\(result.count(.migrated)) migrated, \(result.count(.unchanged)) unchanged, "
            + "\(result.count(.refused)) refused, \(result.count(.failed)) failed"
            + (notStarted > 0 ? ", \(notStarted) not begun" : "")
        StandardOutput.outcome(counts)
        if report.json {
            try Terminal.printJSON(result)
        } else {
            Terminal.printLines(["\(counts); \(SchemaOutput.rate(result.statements, result.seconds))"])
        }
        if let stopped = result.stopped { Terminal.printError("router: stopped: \(TextTable.oneLine(stopped))") }
        // A canary that fails is one client's; a lock or a server lost is a failure of the command.
        if result.stopped != nil, result.count(.failed) + result.count(.refused) == 0 { throw ExitStatus.failure }
        if !result.isComplete { throw ExitStatus.attention }
    }

    private static func line(_ client: MigrationReport.Client) -> String {
        let style: Terminal.Style =
            switch client.outcome {
            case .migrated: .green
            case .unchanged, .notStarted: .faint
            case .refused, .failed: .red
            }
        let canary = client.isCanary ? " (canary)" : ""
        let detail = client.detail.map { ": " + TextTable.oneLine($0) } ?? ""
        return "\(client.clientID)  \(Terminal.styled(client.outcome.rawValue, style)), "
            + "version \(client.schemaVersion)\(canary)\(detail)"
    }
}

struct MigrateStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Shows which client has which version.",
        discussion: """
            From Postgres and the files: yes is applied, - is pending, 2/5 is begun (two of five statements are done), changed is a \
            file that is not the one that was applied, ? is a version that no file is there for. Exit status 2 when something \
            needs a person.

            Example: router migrate status --json
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var work: SchemaWorkOptions
    @OptionGroup var selection: MigrateSelection

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let migrator = try Migrator(
                settings: context.settings, options: selection.options(work), log: context.log)
            defer { migrator.shutdown() }
            let status = try await migrator.status()
            if report.json {
                try Terminal.printJSON(status)
            } else if status.clients.isEmpty {
                Terminal.printLines(["There is no client with a database yet: router provision --all"])
            } else {
                Terminal.print(status.table)
                if !status.findings.isEmpty { Terminal.printLines([""] + status.findings) }
            }
            if status.needsAttention { throw ExitStatus.attention }
        }
    }
}

struct MigrateVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compares clients' tables with what the files make.",
        discussion: """
            The files are applied to a database of its own on the same server, gone afterwards; differences are shown as a diff, - \
            what the files make, + what is there. Exit status 2 when there are any.

            Example: router migrate verify --client 1b4e28ba-2fa1-41d2-883f-0016d3cca427
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var work: SchemaWorkOptions
    @OptionGroup var selection: MigrateSelection

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let migrator = try Migrator(
                settings: context.settings, options: selection.options(work), log: context.log)
            defer { migrator.shutdown() }
            let result = try await migrator.verify(word: SchemaOutput.word) { _, done, total in
                Terminal.progress(SchemaOutput.bar("verify", done, total))
            }
            Terminal.progress("")
            if report.json { try Terminal.printJSON(result) } else { Self.print(result) }
            if !result.isWell { throw ExitStatus.attention }
        }
    }

    private static func print(_ result: MigrationVerification) {
        let bad = result.clients.filter { !$0.isWell }
        for client in bad {
            Terminal.printLines([
                Terminal.styled("\(client.clientID)  \(TextTable.printable(client.clientName))", .bold)
            ])
            let lines = (client.detail.map { [$0] } ?? []) + client.checksums
            Terminal.printLines(lines.map { "  " + TextTable.oneLine($0) })
            Terminal.printLines(
                client.drift.map { line in
                    let text = "  " + TextTable.printable(line)
                    return line.hasPrefix("- ")
                        ? Terminal.styled(text, .red)
                        : line.hasPrefix("+ ") ? Terminal.styled(text, .green) : text
                })
        }
        let verdict =
            bad.isEmpty
            ? "\(result.clients.count) clients are as the files say"
            : "\(bad.count) of \(result.clients.count) clients are not as the files say"
        Terminal.printLines([
            "\(Terminal.styled(verdict, bad.isEmpty ? .green : .red)) (\(SchemaOutput.tenths(result.seconds)) s)"
        ])
    }
}
