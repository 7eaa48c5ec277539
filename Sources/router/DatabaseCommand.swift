import ArgumentParser
import RouterOperations

struct DatabaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db",
        abstract: "Makes the router's own tables in Postgres, and brings them up to date.",
        subcommands: [Upgrade.self, Status.self])

    func run() async throws {
        throw ValidationError("Name what to do: router db upgrade or status.")
    }

    struct Upgrade: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Applies what the database lacks of this program's tables.",
            discussion: """
                The files of postgres/sql/ are inside of the program. Each is applied once, under a lock, and written down in \
                the table router_schema; rows are left alone. It can be repeated, and routers may run meanwhile: upgrade the \
                database first, then the routers.

                Examples:
                  router db upgrade
                  POSTGRES_METADATA_USER=owner router db upgrade --json
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Flag(help: "Also apply again the files that were applied with another content.")
        var reapplyChanged = false

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let result = try DatabaseOperations(settings: context.settings).upgrade(
                    reapplyChanged: reapplyChanged, progress: Terminal.progress)
                Terminal.progress("")
                let names = result.applied.map(String.init).joined(separator: ", ")
                let summary = result.applied.isEmpty ? "Nothing was missing." : "Applied: version \(names)."
                StandardOutput.outcome(summary)
                if report.json { return try Terminal.printJSON(result) }
                Terminal.print(result.table)
                Terminal.printLines(["", summary])
                if let remark = result.remark { Terminal.printLines(["Note: \(remark)"]) }
            }
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows which versions of its tables the database has.",
            discussion: """
                Exit status: 0 up to date, 2 when something is missing or differs, 1 when Postgres could not be asked.

                Example:
                  router db status --json
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let result = try DatabaseOperations(settings: context.settings).status()
                if report.json {
                    try Terminal.printJSON(result)
                } else {
                    Terminal.print(result.table)
                    Terminal.printLines(["", result.remark ?? "The database is up to date."])
                }
                if result.needsPerson { throw ExitStatus.attention }
            }
        }
    }
}
