import ArgumentParser
import RouterOperations

extension ClientCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds many clients from a CSV or JSONL file: all of them, or none.",
            discussion: """
                Columns (CSV, with a heading) or members (JSONL): client_name; and, where they are not to be made up, client_id, \
                ch_database_name, api_key_hash. A client without api_key_hash gets a new key. Every fault in the file is told with its \
                line. The clients are pending: router provision --all comes next.

                Examples: router client import clients.csv --keys keys.jsonl
                          router client import clients.jsonl --json
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Argument(help: "The file, its name ending in .csv, .jsonl or .ndjson; - for standard input, with --format.")
        var file: String

        @Option(help: "csv or jsonl, where the file's name does not tell.")
        var format: FileFormat?

        @Option(
            help: ArgumentHelp(
                "Write the new keys into this file, which must not be there yet, for its owner alone. Without it they are shown.",
                valueName: "file"))
        var keys: String?

        enum FileFormat: String, ExpressibleByArgument, CaseIterable { case csv, jsonl }

        private var isCSV: Bool? {
            if let format { return format == .csv }
            if file.hasSuffix(".csv") { return true }
            return file.hasSuffix(".jsonl") || file.hasSuffix(".ndjson") ? false : nil
        }

        func validate() throws {
            guard isCSV != nil else { throw ValidationError("Say what the file is: --format csv or --format jsonl.") }
        }

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                do {
                    try ClientOperations(settings: context.settings).importClients(
                        from: file, isCSV: isCSV ?? false, keysPath: keys
                    ) { result in
                        if let keys = result.keysFile {
                            StandardOutput.outcome(
                                "\(result.imported.grouped) clients were added, their keys are in \(keys)")
                            return try print(result)
                        }
                        try print(result)
                        try StandardOutput.settle(orElse: "no client was added, because the keys would have been lost")
                    }
                } catch let refusal as ImportRefusal {
                    Terminal.printError("router: \(refusal.message)")
                    throw ExitStatus.failure
                }
            }
        }

        private func print(_ result: ClientImportReport) throws {
            if report.json { return try Terminal.printJSON(result) }
            if keys == nil {
                for client in result.clients {
                    let key = client.apiKey ?? "(its own)"
                    Terminal.printLines(["\(client.clientID)  \(key)  \(TextTable.printable(client.clientName))"])
                }
                Terminal.printLines(["", "The keys are not shown again."])
            }
            Terminal.printLines(["Added \(result.imported.grouped) clients. Next: router provision --all"])
        }
    }
}
