import ArgumentParser
import RouterCore
import RouterOperations

/// `router client` commands that change one client.
extension ClientCommand {
    struct RotateKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-key",
            abstract: "Gives a client another API key; the one before stays valid for a while.",
            discussion: """
                The new key is shown this one time and kept nowhere. Running routers accept it within a second. One key stays \
                valid beside it: that of a rotation before, if it is valid still, ends at once.

                Examples: router client rotate-key 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                          router client rotate-key 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --keep-old 0   # it has leaked
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
        var id: ClientID

        @Option(
            help: ArgumentHelp(
                "For how long the key before is accepted: 15m, 24h, 7d; 0 ends it at once.", valueName: "time"),
            transform: DurationArgument.milliseconds)
        var keepOld: Int64 = 24 * 3_600_000

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                try ClientOperations(settings: context.settings).rotateKey(id, keepOldMilliseconds: keepOld) {
                    rotated in
                    try print(rotated)
                    try StandardOutput.settle(
                        orElse: "the key was not changed, because the new one would have been lost")
                }
            }
        }

        private func print(_ rotated: RotatedKeyDocument) throws {
            if report.json { return try Terminal.printJSON(rotated) }
            Terminal.printFields([
                ("Client", rotated.clientID), ("Its hash", rotated.apiKeyHash),
                (
                    "Key before",
                    rotated.previousKeyExpiresAt.map { "accepted until \($0)" } ?? "not accepted any more"
                ),
            ])
            Terminal.printLines(["API key     \(Terminal.styled(rotated.apiKey, .bold))", ""])
            if rotated.endedEarlier {
                Terminal.printLines(["The key of the rotation before that was still accepted, and is not any more."])
            }
            Terminal.printLines(["The key is not shown again."])
        }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuses an active client's events: they become dead letters, client_not_active.",
            discussion: """
                Running routers follow within a second. The dead letters can be replayed once it is resumed.

                Example: router client suspend 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                """)

        @OptionGroup var change: ChangeOptions

        func run() async throws {
            try await change.run { try $0.suspend(change.id) }
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Accepts a suspended client's events again.",
            discussion: """
                Running routers follow within a second.

                Example: router client resume 1b4e28ba-2fa1-41d2-883f-0016d3cca427
                """)

        @OptionGroup var change: ChangeOptions

        func run() async throws {
            try await change.run { try $0.resume(change.id) }
        }
    }

    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a client another name. Its id, key and database stay.",
            discussion: """
                Example: router client rename 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --name "Example Shop, Ltd"
                """)

        @OptionGroup var change: ChangeOptions

        @Option(help: "What people call the client. It need not be unique.")
        var name: String

        func run() async throws {
            try await change.run { try $0.rename(change.id, to: name) }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes a client's settings.",
            discussion: """
                --retention: ClickHouse drops rows whose event time is that many days ago, some time after it is (TTL). Fewer days \
                than before take rows away that are there, and ask for it as `client erase-user` does. `router audit` counts such rows \
                as expired.

                Examples: router client set 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --retention 400
                          router client set 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --retention none
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
        var id: ClientID

        @Option(help: ArgumentHelp("For how many days events are kept; none: for ever.", valueName: "days"))
        var retention: String

        @Flag(help: "Do not ask, also when rows are taken away.")
        var yes = false

        func validate() throws { _ = try days() }

        private func days() throws -> Int? {
            if retention == "none" { return nil }
            guard let days = Int(retention), (1...ClientRetention.maxDays).contains(days) else {
                throw ValidationError("--retention is a number of days, 1 to \(ClientRetention.maxDays), or none.")
            }
            return days
        }

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let days = try days()
                let setting = try ClientRetention(settings: context.settings)
                defer { setting.shutdown() }
                if let days, !yes {
                    let loss = try await setting.loss(id, days: days)
                    if loss.rows > 0 {
                        Terminal.printError("\(loss.rows.grouped) rows are older than \(days) days and go.")
                        try Confirmation.ask(forName: loss.clientName, what: "dropping rows by age")
                    }
                }
                let client = try await setting.set(id, days: days)
                StandardOutput.outcome("client \(id) was changed; see it with: router client show \(id)")
                if report.json { return try Terminal.printJSON(client) }
                Terminal.printFields(client.fields)
            }
        }
    }

    struct EraseUser: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase-user",
            abstract: "Deletes the rows of one of a client's users, and keeps a record of which.",
            discussion: """
                Rows are counted, written down by topic, partition and offset, and deleted (ALTER TABLE … DELETE). Audit counts them as \
                erased; a replay of dead letters and a rebuild pass them over. The user's id is kept nowhere. Stop the user's events \
                first: those sent afterwards are stored as ever. Exit status 2: events sent before are still on their way; run it again.

                Example: router client erase-user 1b4e28ba-2fa1-41d2-883f-0016d3cca427 user-4711 --reason "request 88"
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var report: ReportOptions

        @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
        var id: ClientID

        @Argument(
            help: ArgumentHelp(
                "The user's id, exactly as in the events; - reads it from standard input, where no list of processes shows it.",
                valueName: "user-id"))
        var userID: String

        @Option(help: "Why, for the record: the number of the request. Not the user's id or name.")
        var reason: String

        @Flag(help: "Do not ask.")
        var yes = false

        /// For a person who reads the record.
        private static let maxReasonCharacters = 500

        func validate() throws {
            guard reason.contains(where: { !$0.isWhitespace }), reason.count <= Self.maxReasonCharacters else {
                throw ValidationError("--reason has 1 to \(Self.maxReasonCharacters) characters.")
            }
            guard !userID.isEmpty else { throw ValidationError("An empty user id is that of every event without one.") }
            guard userID != "-" || yes else {
                throw ValidationError("With the user's id on standard input there is nobody to ask: give --yes.")
            }
            guard userID == "-" || !reason.contains(userID) || userID.count < 3 else {
                throw ValidationError("--reason holds the user's id, and is kept: name the request and not the person.")
            }
        }

        func run() async throws {
            let context = try common.start()
            try await CommandRunner.run {
                let user = userID == "-" ? readLine(strippingNewline: true) ?? "" : userID
                let erasure = try UserErasure(settings: context.settings, log: context.log)
                defer { erasure.shutdown() }
                let plan = try await erasure.plan(id, userID: user)
                if !yes {
                    Terminal.printFields(plan.fields, toStandardError: true)
                    try Confirmation.ask(forName: plan.clientName, what: "erasing a user's rows")
                }
                let result = try await erasure.erase(id, userID: user, reason: reason) {
                    Terminal.progress("erase: \($0)")
                }
                Terminal.progress("")
                StandardOutput.outcome(result.lines.joined(separator: " "))
                if report.json { try Terminal.printJSON(result) } else { Terminal.printLines(result.lines) }
                if !result.isComplete { throw ExitStatus.attention }
            }
        }
    }
}

/// What the commands share that change one client and show it afterwards.
struct ChangeOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var report: ReportOptions

    @Argument(help: ArgumentHelp("The client's id.", valueName: "client-id"), transform: ClientArgument.parse)
    var id: ClientID

    func run(_ change: (ClientOperations) throws -> ClientDocument) async throws {
        let context = try common.start()
        try await CommandRunner.run {
            let client = try change(try ClientOperations(settings: context.settings))
            StandardOutput.outcome("client \(id) was changed; see it with: router client show \(id)")
            if report.json { return try Terminal.printJSON(client) }
            Terminal.printFields(client.fields)
        }
    }
}
