import ArgumentParser
import RouterOperations

/// What `provision` and `migrate` both take.
struct SchemaWorkOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A folder of vN_name.sql files, as clickhouse/migrations, instead of those in the program.",
            valueName: "dir"))
    var migrations: String?

    @Option(help: ArgumentHelp("How many clients at once.", valueName: "count"))
    var parallel = Migrator.Options.defaultParallel

    func validate() throws {
        guard (1...Migrator.Options.maxParallel).contains(parallel) else {
            throw ValidationError("--parallel has to be from 1 to \(Migrator.Options.maxParallel).")
        }
    }
}

/// How `provision` and `migrate` show themselves.
enum SchemaOutput {
    private static let barWidth = 24

    /// `provision [########················] 100/300`
    static func bar(_ what: String, _ done: Int, _ total: Int) -> String {
        let filled = total > 0 ? done * barWidth / total : barWidth
        let bar = String(repeating: "#", count: filled) + String(repeating: "·", count: barWidth - filled)
        return "\(what) [\(bar)] \(done)/\(total)"
    }

    /// A line of the report, with the bar out of its way.
    static func line(_ text: String) {
        Terminal.progress("")
        Terminal.printLines([text])
    }

    /// A word for whoever waits.
    @Sendable static func word(_ text: String) { Terminal.printError("router: \(TextTable.oneLine(text))") }

    static func rate(_ statements: Int, _ seconds: Double) -> String {
        let perSecond = seconds > 0 ? Int((Double(statements) / seconds).rounded()) : 0
        return "\(statements.grouped) statements in \(tenths(seconds)) s (\(perSecond.grouped) a second)"
    }

    static func tenths(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    static func print(_ plan: SchemaDryRun, json: Bool) throws {
        if json {
            try Terminal.printJSON(plan)
        } else if plan.lines.isEmpty {
            Terminal.printLines(["-- There is nothing to do."])
        } else {
            Terminal.printLines(plan.lines)
        }
        if !plan.refusals.isEmpty { throw ExitStatus.attention }
    }
}
