import ArgumentParser
import RouterCore
import RouterOperations

struct DlqCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Shows dead letters, replays them, and gives them up.",
        discussion: """
            A dead letter is named by its origin, PARTITION/OFFSET of the raw topic. It is open until there is a row for its origin, \
            or it is discarded.

            Examples: router dlq stats --since 7d
                      router dlq list --reason missing_field --where 'event_properties.app = checkout'
                      router dlq replay --reason client_not_active --dry-run
                      router dlq replay --reason missing_field --jq '.event_name //= "unknown"'
            """,
        subcommands: [
            DlqStats.self, DlqList.self, DlqShow.self, DlqReplay.self, DlqDiscard.self, DlqExport.self,
        ])

    func run() async throws {
        throw ValidationError("Name what to do: router dlq stats, list, show, replay, discard or export.")
    }
}

extension CommonOptions {
    /// Starts, opens the dead letters for `body`, and closes them behind it.
    fileprivate func survey(_ body: (DeadLetterSurvey) async throws -> Void) async throws {
        let context = try start()
        try await CommandRunner.run {
            let survey = try DeadLetterSurvey(settings: context.settings, log: context.log)
            defer { survey.shutdown() }
            try await body(survey)
        }
    }
}

struct DlqStats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Counts dead letters by reason, client and day.",
        discussion: """
            Example: router dlq stats --since 7d --json
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var filters: DlqFilterOptions

    func validate() throws { _ = try filters.filter() }

    func run() async throws {
        let filter = try filters.filter()
        try await common.survey { survey in
            let stats = try await survey.stats(filter) { Terminal.progress("dlq: \($0)") }
            Terminal.progress("")
            if report.json { return try Terminal.printJSON(stats) }
            for table in stats.tables {
                Terminal.print(table)
                Terminal.printLines([""])
            }
            Terminal.printLines(stats.remarks.map { "Note: \($0)" } + [stats.verdict])
        }
    }
}

struct DlqList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists open dead letters, the oldest failures, without their values.",
        discussion: """
            Example: router dlq list --reason missing_field --limit 20
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var filters: DlqFilterOptions

    @Option(help: "At most so many.")
    var limit = 100

    @Flag(help: "Those that were delivered or discarded since, too.")
    var all = false

    func validate() throws {
        _ = try filters.filter()
        try DlqFilterOptions.check(limit: limit)
    }

    func run() async throws {
        let filter = try filters.filter()
        try await common.survey { survey in
            var found: [DeadLetterDocument] = []
            let states: Set<DeadLetterState> = all ? Set(DeadLetterState.allCases) : [.open]
            let (count, _) = try await survey.letters(
                filter, states, limit: limit, progress: { Terminal.progress("dlq: \($0)") }
            ) { found.append($0.summary) }
            Terminal.progress("")
            let list = DeadLetterListDocument(total: count, deadLetters: found)
            if report.json { return try Terminal.printJSON(list) }
            if count == 0 { return Terminal.printLines(["No dead letter."]) }
            Terminal.print(list.table)
            if found.count < count { Terminal.printLines(["\(found.count) of \(count.grouped); --limit shows more."]) }
        }
    }
}

struct DlqShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one dead letter whole.",
        discussion: """
            PARTITION/OFFSET are the origin's, of the raw topic; with the name of the dead-letter topic before them, its own. Hashes of \
            keys are masked unless --reveal is given.

            Example: router dlq show 1/4711
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Flag(help: "Show hashes of keys as well.")
    var reveal = false

    @Argument(
        help: ArgumentHelp("PARTITION/OFFSET, or TOPIC/PARTITION/OFFSET.", valueName: "place"),
        transform: { text in
            guard let place = DeadLetterPlace(text) else {
                throw ValidationError("'\(text)' is no place, which is PARTITION/OFFSET such as 2/4711.")
            }
            return place
        })
    var place: DeadLetterPlace

    func run() async throws {
        try await common.survey { survey in
            let found = try await survey.show(place)
            guard let document = found.last.map({ reveal ? $0 : $0.masked }) else { return }
            if report.json { return try Terminal.printJSON(document) }
            Terminal.printFields(document.fields)
        }
    }
}

struct DlqDiscard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Gives open dead letters up: they count as discarded, and no replay takes them.",
        discussion: """
            Who, why and how many goes to Postgres (dead_letter_discards). Nothing is removed from Kafka.

            Example: router dlq discard --reason malformed_json --why "a producer's test"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions
    @OptionGroup var filters: DlqFilterOptions

    @Option(help: ArgumentHelp("For whoever asks later.", valueName: "text"))
    var why: String

    @Option(help: "At most so many, the oldest failures first.")
    var limit: Int?

    @Flag(help: "Only say how many it would be.")
    var dryRun = false

    @Flag(help: "Do it without asking. Needed where there is no terminal to ask on.")
    var yes = false

    func validate() throws {
        _ = try filters.filter()
        try DlqFilterOptions.check(limit: limit)
        guard why.contains(where: { !$0.isWhitespace }) else { throw ValidationError("--why needs a reason.") }
    }

    func run() async throws {
        let filter = try filters.filter()
        try await common.survey { survey in
            func discard(isDryRun: Bool) async throws -> DiscardReport {
                let result = try await survey.discard(
                    filter, limit: limit, why: why, isDryRun: isDryRun
                ) { Terminal.progress("dlq: \($0)") }
                Terminal.progress("")
                return result
            }
            if !dryRun, !yes {
                guard Terminal.isErrorTerminal, !report.json else {
                    throw OperationError("not_confirmed", "discard asks on a terminal; without one give --yes")
                }
                let would = try await discard(isDryRun: true)
                Terminal.printError("\(would.discarded.grouped) dead letters will be discarded. Type yes to go on:")
                guard readLine() == "yes" else { throw OperationError("not_confirmed", "nothing was discarded") }
            }
            let result = try await discard(isDryRun: dryRun)
            let text = dryRun ? "would be discarded" : "discarded"
            if !dryRun { StandardOutput.outcome("\(result.discarded.grouped) dead letters discarded") }
            if report.json { return try Terminal.printJSON(result) }
            Terminal.printLines(["\(result.discarded.grouped) dead letters \(text)."])
        }
    }
}

struct DlqExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes open dead letters to standard output, one JSON document a line.",
        discussion: """
            With --values only the records' values, one a line, as `router send --file` takes them; a value that cannot be one line of \
            text is left out and counted on standard error. Values hold hashes of keys: treat the file as a secret.

            Example: router dlq export --reason malformed_json > letters.jsonl
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var filters: DlqFilterOptions

    @Option(help: "At most so many, the oldest failures first.")
    var limit: Int?

    @Flag(help: "Those that were delivered or discarded since, too.")
    var all = false

    @Flag(help: "Only the values.")
    var values = false

    @Flag(help: "Accepted for uniformity: every line is JSON already.")
    var json = false

    func validate() throws {
        _ = try filters.filter()
        try DlqFilterOptions.check(limit: limit)
    }

    func run() async throws {
        let filter = try filters.filter()
        try await common.survey { survey in
            let states: Set<DeadLetterState> = all ? Set(DeadLetterState.allCases) : [.open]
            var leftOut = 0
            let (_, written) = try await survey.letters(filter, states, limit: limit, progress: { _ in }) { letter in
                if !values {
                    Terminal.printLines([try JSONDocument.text(letter)])
                } else if let line = letter.line {
                    Terminal.printLines([line])
                } else {
                    leftOut += 1
                }
                try StandardOutput.check()
            }
            let note = leftOut > 0 ? ", \(leftOut.grouped) left out, which are no line of text" : ""
            Terminal.printError("exported \((written - leftOut).grouped) dead letters\(note)")
        }
    }
}
