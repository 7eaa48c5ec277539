import ArgumentParser
import RouterCore
import RouterOperations

struct MigrateNewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Writes the next numbered file, empty but for what its author should know.",
        discussion: """
            Example: router migrate new "visitor country" --migrations clickhouse/migrations
            """)

    @OptionGroup var report: ReportOptions

    @Option(
        help: ArgumentHelp(
            "The folder; without it \(MigrationScaffold.defaultDirectory), from here.", valueName: "dir"))
    var migrations: String?

    @Option(
        help: ArgumentHelp("The file is for this client alone.", valueName: "client-id"),
        transform: ClientArgument.parse)
    var client: ClientID?

    @Argument(help: "What it does, in a few words.")
    var name: String

    func run() async throws {
        try await CommandRunner.run {
            let path = try MigrationScaffold.make(name: name, directory: migrations, client: client)
            StandardOutput.outcome("the file is \(path)")
            if report.json { return try Terminal.printJSON(["file": path]) }
            Terminal.printLines([path])
        }
    }
}

struct MigrateRepairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Overrules what is written down of one client's schema, with a reason.",
        discussion: """
            For what the program cannot know: a file was changed on purpose; a statement whose outcome is unknown was, or was not, \
            carried out. It touches no table of ClickHouse, and is recorded in Postgres' schema_repairs.

            Examples: router migrate repair CLIENT_ID --migration 3 --accept-checksum --reason "only a comment"
                      router migrate repair CLIENT_ID --migration 3 --statement 2 --done --reason "seen in the table"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var work: SchemaWorkOptions

    @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
    var id: ClientID

    // Not --version: that is the program's own.
    @Option(help: ArgumentHelp("The number of the migration.", valueName: "version"))
    var migration: Int

    @Flag(help: "The file may be another one than was applied.")
    var acceptChecksum = false

    @Option(help: "A statement's place in the file, from 1.")
    var statement: Int?

    @Flag(help: "The statement was carried out.")
    var done = false

    @Flag(help: "The statement was not carried out; the next run sends it.")
    var notDone = false

    @Option(help: "Why, for those who read it later.")
    var reason: String

    @Option(help: ArgumentHelp("How long to wait for another operator; 0 is not at all.", valueName: "seconds"))
    var wait = 0

    func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else { throw ValidationError("--reason needs a reason.") }
        guard (0...86_400).contains(wait) else { throw ValidationError("--wait has to be from 0 to 86400.") }
        _ = try action()
    }

    private func action() throws -> SchemaRepair.Action {
        switch (acceptChecksum, statement, done, notDone) {
        case (true, nil, false, false): return .acceptChecksum
        case (false, let number?, true, false) where number > 0: return .markDone(statement: number)
        case (false, let number?, false, true) where number > 0: return .markNotDone(statement: number)
        default:
            throw ValidationError("Give either --accept-checksum, or --statement N with --done or --not-done.")
        }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            var options = Migrator.Options()
            options.directory = work.migrations
            options.waitSeconds = wait
            let migrator = try Migrator(settings: context.settings, options: options, log: context.log)
            defer { migrator.shutdown() }
            let repair = SchemaRepair(version: migration, action: try action(), reason: reason)
            try await migrator.repair(id, repair, word: SchemaOutput.word)
            StandardOutput.outcome("the repair is recorded")
            if report.json { return try Terminal.printJSON(["client_id": id.description, "repaired": "true"]) }
            Terminal.printLines(["Recorded. Next: router migrate up --client \(id)"])
        }
    }
}
