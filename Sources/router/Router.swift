import ArgumentParser
import RouterService

struct Router: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "router",
        abstract: "Takes product events from Kafka into one ClickHouse database per client.",
        discussion: """
            Settings are environment variables (KAFKA_…, POSTGRES_METADATA_…, CLICKHOUSE_…, REDIS_URL, ROUTER_…, LOG_…) or lines of \
            a YAML file named by --config; the README lists them.

            Exit status: 0 done, 1 failed, 2 done but something needs a person, 64 wrong usage or settings. \
            Output that cannot be written is a failure, 1; a reader that goes away (| head -1) makes 141 of 0.
            """,
        version: BuildInformation.version,
        subcommands: [
            RunCommand.self,
            ClientCommand.self,
            ProvisionCommand.self,
            MigrateCommand.self,
            DeprovisionCommand.self,
            AuditCommand.self,
            DlqCommand.self,
            RebuildCommand.self,
            OffsetsCommand.self,
            SendCommand.self,
            PauseCommand.self,
            ResumeCommand.self,
            DatabaseCommand.self,
            DoctorCommand.self,
            StatusCommand.self,
            CompletionsCommand.self,
        ])
}
