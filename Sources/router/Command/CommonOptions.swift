import ArgumentParser
import Foundation
import KafkaClient
import Logging
import RouterConfiguration

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("A YAML file of settings, NAME: value. The environment wins over it.", valueName: "file"))
    var config: String?

    /// Loads the settings and makes every logger write as they say. To be called once, first.
    ///
    /// Wrong settings end the command with status 64, all of them named in one message.
    func start() throws -> CommandContext {
        let environment = ProcessInfo.processInfo.environment
        do throws(SettingsError) {
            let settings = try Settings.load(
                environment: environment, configPath: config,
                checkKafkaProperty: { KafkaProperties.problem(name: $0, value: $1) })
            settings.log.bootstrap(environment: environment)
            let log = Logger(label: "router")
            Self.warn(ofUnknown: UnknownVariable.all(in: environment), log)
            return CommandContext(settings: settings, log: log)
        } catch {
            Terminal.printError(error.description)
            throw ExitStatus.usage
        }
    }

    /// Names only: the value of a misspelt password is a password.
    private static func warn(ofUnknown variables: [UnknownVariable], _ log: Logger) {
        for variable in variables {
            let hint = variable.nearest.map { "; did you mean \($0)?" } ?? ""
            log.warning(
                "the environment variable \(variable.name) is not a setting and is ignored\(hint)",
                metadata: ["variable": "\(variable.name)"])
        }
    }
}

/// What a command works with.
struct CommandContext {
    var settings: Settings
    var log: Logger
}

/// What every command takes that reports something.
struct ReportOptions: ParsableArguments {
    @Flag(help: "Print one JSON document on standard output, and nothing else there.")
    var json = false
}
