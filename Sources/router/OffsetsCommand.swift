import ArgumentParser
import Foundation
import RouterOperations

struct OffsetsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "offsets",
        abstract: "Shows where partitions go on, and lets those go on that stand still.",
        subcommands: [Show.self, Accept.self])

    func run() async throws {
        throw ValidationError("Name what to do: router offsets show or accept.")
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows every partition's log, committed state, and where a router goes on.",
            discussion: """
                DELIVERED TO is what Postgres remembers: the last offset of the highest completed batch. Exit status: 0 no \
                partition stands still, 2 some do.

                Example: router offsets show --json
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let result = try OffsetsOperations(settings: context.settings, log: context.log).show()
                if report.json {
                    try Terminal.printJSON(result)
                } else {
                    Terminal.print(result.table)
                    if !result.details.isEmpty { Terminal.printLines([""] + result.details) }
                    let style: Terminal.Style = result.needsAttention ? .red : .green
                    Terminal.printLines(["", Terminal.styled(result.summary, style)])
                }
                if result.needsAttention { throw ExitStatus.attention }
            }
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets partitions that stand still go on at an offset.",
            discussion: """
                It says what would be read again and what would be skipped, and asks. The decision is written to Postgres with your \
                name and reason; the router that owns the partition takes it within seconds, or the next one that starts. \
                --earliest loses nothing and stores nothing twice: rows that are in the tables already are found by their origin.

                Examples: router offsets accept --partition 3 --earliest --reason "group deleted by mistake"
                          router offsets accept --all --latest --reason "topic made anew, ticket 4711" --yes
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Option(help: ArgumentHelp("Which partitions, with commas between.", valueName: "partitions"))
        var partition: String?

        @Flag(help: "Every partition that stands still.")
        var all = false

        @Flag(help: "Go on at the log's start.")
        var earliest = false

        @Flag(help: "Go on at the log's end, and give up what is in the log.")
        var latest = false

        @Flag(help: "Go on at the committed offset, whatever the metadata beside it is.")
        var committed = false

        @Option(help: "Go on at this offset.")
        var offset: Int64?

        @Option(help: "Why; it is kept, and audit shows it.")
        var reason: String

        @Option(help: ArgumentHelp("Who decides; without it the user of this session.", valueName: "name"))
        var by: String?

        @Flag(help: "Do not ask.")
        var yes = false

        private var places: [AcceptedPlace] {
            var places: [AcceptedPlace] = []
            if earliest { places.append(.earliest) }
            if latest { places.append(.latest) }
            if committed { places.append(.committed) }
            if let offset { places.append(.offset(offset)) }
            return places
        }

        private var partitions: [Int32]? {
            partition?.split(separator: ",", omittingEmptySubsequences: false).compactMap { Int32($0) }
        }

        func validate() throws {
            guard places.count == 1 else {
                throw ValidationError("Say where to go on: one of --earliest, --latest, --offset N and --committed.")
            }
            guard all != (partition != nil) else {
                throw ValidationError("Say which partitions: either --partition P[,P…] or --all.")
            }
            if let partition {
                let count = partition.split(separator: ",", omittingEmptySubsequences: false).count
                guard let partitions, partitions.count == count, partitions.allSatisfy({ $0 >= 0 }) else {
                    throw ValidationError(
                        "--partition takes numbers with commas between, such as 0,3, not '\(partition)'.")
                }
            }
            guard yes || (Terminal.isInputTerminal && Terminal.isErrorTerminal) else {
                throw ValidationError("There is no terminal to ask on: look at `router offsets show`, then give --yes.")
            }
        }

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let operations = try OffsetsOperations(settings: context.settings, log: context.log)
                let plan = try operations.plan(
                    partitions: partitions, at: places[0], by: by ?? Self.userName, reason: reason)
                if !yes {
                    Terminal.printError(plan.lines.joined(separator: "\n"))
                    guard Terminal.confirm("Accept this?") else {
                        throw OperationError("not_confirmed", "nothing was changed")
                    }
                }
                try operations.accept(plan)
                StandardOutput.outcome("accepted; see it with: router offsets show")
                if report.json { return try Terminal.printJSON(plan) }
                Terminal.printLines(
                    (yes ? plan.lines : []) + [
                        "Accepted. The router that owns the partition goes on within seconds, or the next one that starts;",
                        "see: router offsets show",
                    ])
            }
        }

        /// Whose session it is, also behind sudo.
        private static var userName: String {
            let environment = ProcessInfo.processInfo.environment
            return ["SUDO_USER", "USER", "LOGNAME"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
                ?? NSUserName()
        }
    }
}
