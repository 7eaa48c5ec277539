import ArgumentParser
import RouterCore
import RouterOperations

struct ClientCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Adds and shows clients.",
        subcommands: [Add.self, List.self, Show.self])

    func run() async throws {
        throw ValidationError("Name what to do: router client add, list or show.")
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
                let made = try ClientOperations(settings: context.settings).add(name: name, id: id, database: database)
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
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all clients, the oldest first.",
            discussion: """
                Example: router client list --json
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let list = try ClientOperations(settings: context.settings).list()
                if report.json { return try Terminal.printJSON(list) }
                if list.clients.isEmpty {
                    return Terminal.printLines(["There are no clients yet: router client add --name NAME"])
                }
                Terminal.print(list.table)
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
                let client = try ClientOperations(settings: context.settings).show(id)
                if report.json { return try Terminal.printJSON(client) }
                let width = client.fields.map(\.0.count).max() ?? 0
                Terminal.printLines(
                    client.fields.map { label, value in
                        label + String(repeating: " ", count: width - label.count) + "  " + TextTable.printable(value)
                    })
            }
        }
    }
}
