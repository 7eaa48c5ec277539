import ArgumentParser
import RouterCore
import RouterOperations

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Sends sample events to the raw topic, good and bad ones.",
        discussion: """
            Visitors of a shop, in the names of all active clients: sessions, page views, purchases. The same seed makes the same \
            events but for their times. \
            A topic other than the default that is missing is an error without --create-topics: its name may be misspelt. \
            It ends when Kafka has acknowledged every event.

            Ways of being bad: \(SampleKind.bad.map(\.name).joined(separator: ", ")).

            Examples: router send --count 100000 --bad-share 0.02
                      router send --rate 500 --bad unknown_client=0.1 --bad malformed_json=0.05
                      router send --file events.jsonl
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Option(help: "How many events; without it \(Sender.defaultCount), or all lines of the file.")
    var count: Int?

    @Option(help: ArgumentHelp("Events a second; without it as fast as Kafka takes them.", valueName: "events"))
    var rate: Double?

    @Option(help: "Where the made-up events start from.")
    var seed: UInt64?

    @Option(
        help: ArgumentHelp("A client to send for, instead of all active ones. Repeatable.", valueName: "client-id"),
        transform: ClientArgument.parse)
    var client: [ClientID] = []

    @Option(
        help: ArgumentHelp(
            "Clients from a file instead of Postgres: what client add --json prints, one a line.", valueName: "file"))
    var clients: String?

    @Option(help: ArgumentHelp("The share of bad events, 0 to 1, spread evenly over the ways.", valueName: "share"))
    var badShare: Double?

    @Option(
        help: ArgumentHelp("The share of events that are bad in one way. Repeatable.", valueName: "way=share"))
    var bad: [String] = []

    @Option(help: "Where the events carry client_id and api_key_hash: body or headers.")
    var credentials: CredentialsPlace?

    @Option(help: ArgumentHelp("Send the lines of this file as they are; - for standard input.", valueName: "file"))
    var file: String?

    @Flag(help: "Create the raw and the dead-letter topic where they are missing, as router run does.")
    var createTopics = false

    enum CredentialsPlace: String, ExpressibleByArgument, CaseIterable {
        case body, headers
    }

    func validate() throws {
        if let count, count < 0 { throw ValidationError("--count has to be 0 or more.") }
        if let rate, !(rate > 0 && rate <= 10_000_000) {
            throw ValidationError("--rate has to be above 0, and 10000000 at most.")
        }
        if !client.isEmpty, clients != nil { throw ValidationError("Give either --client or --clients.") }
        let isSample = !client.isEmpty || clients != nil || badShare != nil || !bad.isEmpty || credentials != nil
        if file != nil, isSample || seed != nil {
            throw ValidationError(
                "--file sends lines as they are: --seed, --client, --bad and --credentials do not apply.")
        }
        _ = try samples()
    }

    private func samples() throws -> SendOptions.SampleOptions {
        var options = SendOptions.SampleOptions()
        options.clients = client.isEmpty ? nil : client
        options.clientsFile = clients
        options.credentialsInHeaders = credentials == .headers
        options.seed = seed ?? 1
        if let badShare { options.badShare = try Self.share(badShare, "--bad-share") }
        for text in bad {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 1, let share = Double(text) {
                options.badShare += try Self.share(share, "--bad")
                continue
            }
            guard parts.count == 2, let kind = SampleKind(name: String(parts[0])), kind != .good,
                let share = Double(parts[1])
            else {
                throw ValidationError(
                    "--bad \(text): a way and its share were expected, such as malformed_json=0.1; the ways are "
                        + SampleKind.bad.map(\.name).joined(separator: ", ") + ".")
            }
            options.bad.add(try Self.share(share, "--bad \(parts[0])"), of: kind)
        }
        guard options.bad.total + options.badShare <= 1 + 1e-9 else {
            throw ValidationError("The shares of bad events add up to more than 1.")
        }
        return options
    }

    private static func share(_ share: Double, _ name: String) throws -> Double {
        guard share >= 0, share <= 1 else { throw ValidationError("\(name): a share is a number from 0 to 1.") }
        return share
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let source: SendOptions.Source = try file.map { .lines(path: $0) } ?? .samples(samples())
            var options = SendOptions(
                source: source, count: count ?? (file == nil ? Sender.defaultCount : nil), rate: rate)
            options.createsTopics = createTopics
            let result = try Sender(settings: context.settings, log: context.log).send(options) { sent, failed in
                let failures = failed > 0 ? ", \(failed.grouped) failed" : ""
                Terminal.progress("send: \(sent.grouped) acknowledged\(failures)")
            }
            Terminal.progress("")
            StandardOutput.outcome("\(result.sent.grouped) events were sent to \(result.topic)")
            if report.json { try Terminal.printJSON(result) } else { Self.print(result) }
            if result.failed > 0 || result.firstFailure != nil {
                Terminal.printError(
                    "router: kafka_send_failed: \(result.failed) events were not acknowledged; the first: "
                        + TextTable.oneLine(result.firstFailure ?? "no reason given"))
                throw ExitStatus.failure
            }
        }
    }

    private static func print(_ result: SendReport) {
        for table in result.tables {
            Terminal.print(table)
            Terminal.printLines([""])
        }
        if !result.createdTopics.isEmpty {
            Terminal.printLines(["Created: \(result.createdTopics.joined(separator: ", "))"])
        }
        for note in result.notes { Terminal.printLines(["Note: \(note)"]) }
        let rate = Int(result.eventsPerSecond.rounded())
        Terminal.printLines([
            "Sent \(result.sent.grouped) events to \(result.topic) in \(tenths(result.seconds)) s (\(rate.grouped) a second)."
        ])
    }

    private static func tenths(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
