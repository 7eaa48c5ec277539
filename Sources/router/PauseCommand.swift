import ArgumentParser
import RouterCore
import RouterOperations

/// What is paused or resumed.
struct PauseTarget: ParsableArguments {
    @Option(
        help: ArgumentHelp("The client whose events are held back.", valueName: "client-id"),
        transform: ClientArgument.parse)
    var client: ClientID?

    @Option(help: ArgumentHelp("A partition of the raw topic. Repeatable.", valueName: "number"))
    var partition: [Int32] = []

    func validate() throws {
        guard partition.allSatisfy({ $0 >= 0 }) else {
            throw ValidationError("--partition has to be 0 or more.")
        }
        guard client == nil || partition.isEmpty else { throw ValidationError("Give either --client or --partition.") }
    }

    var target: PauseOperations.Target? {
        if let client { return .client(client) }
        return partition.isEmpty ? nil : .partitions(partition)
    }
}

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Holds back a partition or a client, or shows what is held back.",
        discussion: """
            Running routers follow within a second, and routers that start later too. A paused partition is not read; its offsets \
            stay, and retention goes on. A paused client's events become dead letters, destination_unavailable, because a \
            partition that waited for one client would hold up all others; replay them after the pause. Without --client and \
            --partition it lists the pauses that hold.

            Examples:
              router pause --partition 3 --reason "restoring ClickHouse shard 2"
              router pause --client 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --reason "moving its database"
              router pause
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var target: PauseTarget

    @Option(help: "Why, for whoever finds the pause. Needed with --client and --partition.")
    var reason: String?

    func validate() throws {
        guard (reason != nil) == (target.target != nil) else {
            throw ValidationError(
                reason == nil ? "Say why: --reason TEXT." : "Name what to pause: --client ID or --partition NUMBER.")
        }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let operations = try PauseOperations(settings: context.settings, log: context.log)
            if let target = target.target, let reason {
                try PausePrinter.print(
                    try operations.pause(target, reason: reason), report, unchanged: "It was paused already.")
            } else {
                try PausePrinter.print(try operations.list(), report, unchanged: nil)
            }
        }
    }
}

struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Ends the pause of a partition or a client.",
        discussion: """
            Events of a client that became dead letters meanwhile stay dead letters until they are replayed.

            Examples:
              router resume --partition 3
              router resume --client 1b4e28ba-2fa1-41d2-883f-0016d3cca427
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var target: PauseTarget

    func validate() throws {
        guard target.target != nil else {
            throw ValidationError("Name what to resume: --client ID or --partition NUMBER; `router pause` lists both.")
        }
    }

    func run() async throws {
        let context = try common.start()
        try await CommandRunner.run {
            guard let target = target.target else { return }
            try PausePrinter.print(
                try PauseOperations(settings: context.settings, log: context.log).resume(target), report,
                unchanged: "It was not paused.")
        }
    }
}

private enum PausePrinter {
    static func print(_ result: PauseReport, _ report: ReportOptions, unchanged: String?) throws {
        if unchanged != nil {
            StandardOutput.outcome(
                result.changed.isEmpty
                    ? "nothing had to be changed" : "changed \(result.changed.joined(separator: ", "))")
        }
        if report.json { return try Terminal.printJSON(result) }
        if !result.changed.isEmpty {
            Terminal.printLines(["Changed: \(result.changed.joined(separator: ", ")).", ""])
        } else if let unchanged {
            Terminal.printLines([unchanged, ""])
        }
        if result.pauses.isEmpty { return Terminal.printLines(["Nothing is paused."]) }
        Terminal.print(result.table)
    }
}
