import ArgumentParser
import RouterCore
import RouterOperations

struct ClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Adds, shows and changes clients.",
        subcommands: [
            Add.self, Import.self, List.self, Show.self, RotateKey.self, Suspend.self, Resume.self, Rename.self,
            Set.self,
            EraseUser.self,
        ])

    func run() async throws {
        throw ValidationError(
            "Name what to do: router client add, import, list, show, rotate-key, suspend, resume, rename, set or erase-user."
        )
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a client, pending until it is provisioned, and prints its API key.",
            discussion: """
                The key is shown this one time and kept nowhere. Producers send its SHA-256 (api_key_hash) with each event.

                Example: router client add --name "Example Shop"
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Option(help: "What people call the client. It need not be unique.")
        var name: String

        @Option(
            help: ArgumentHelp("The client's id; a random one without it.", valueName: "uuid"),
            transform: ClientArgument.parse)
        var id: ClientID?

        @Option(help: "Its ClickHouse database; without it client_ and the id with underscores.")
        var database: String?

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                try ClientOperations(settings: context.settings).add(name: name, id: id, database: database) { made in
                    try print(made)
                    try StandardOutput.settle(orElse: "no client was made, because its key would have been lost")
                }
            }
        }

        private func print(_ made: NewClientDocument) throws {
            if report.json { return try Terminal.printJSON(made) }
            Terminal.printLines([
                "Client    \(made.clientID)",
                "Name      \(TextTable.printable(made.clientName))",
                "Status    \(made.status)",
                "Database  \(made.databaseName)",
                "API key   \(Terminal.styled(made.apiKey, .bold))",
                "Its hash  \(made.apiKeyHash)",
                "",
                "The key is not shown again. Producers send client_id and api_key_hash with each event.",
                "Next: router provision \(made.clientID)",
            ])
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all clients, the oldest first.",
            discussion: """
                LAST EVENT is the newest event's own time, LAST DAY the rows with an event time of the last 24 hours.

                Example: router client list --json
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let list = try await ClientOperations(settings: context.settings).list()
                if report.json { return try Terminal.printJSON(list) }
                if list.clients.isEmpty {
                    return Terminal.printLines(["There are no clients yet: router client add --name NAME"])
                }
                Terminal.print(list.table)
                list.notes.forEach { Terminal.printError("router: " + TextTable.oneLine($0)) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows one client.",
            discussion: """
                Example: router client show 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
        var id: ClientID

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let list = try await ClientOperations(settings: context.settings).show(id)
                for client in list.clients {
                    if report.json { return try Terminal.printJSON(client) }
                    Terminal.printFields(client.fields)
                }
                list.notes.forEach { Terminal.printError("router: " + TextTable.oneLine($0)) }
            }
        }
    }
}
