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
            return CommandContext(settings: settings, log: Logger(label: "router"))
        } catch {
            Terminal.printError(error.description)
            throw ExitStatus.usage
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
