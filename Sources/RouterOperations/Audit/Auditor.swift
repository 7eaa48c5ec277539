import ClientStore
import KafkaClient
import Logging
import OffsetStore
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// `router audit`: every readable offset of the raw topic below the committed one is a row in the database that
/// Postgres names for its client, or a dead letter; none twice, none in a wrong database.
///
/// It asks the three servers and trusts nothing that the router itself keeps. The order matters beside a running
/// router: committed offsets, then dead letters, then rows. What is below a committed offset was settled before.
public struct Auditor {
    private let settings: Settings
    private let log: Logger
    private let warehouse: Warehouse

    public init(settings: Settings, log: Logger) {
        self.settings = settings
        self.log = log
        warehouse = Warehouse(settings: settings)
    }

    /// - Parameters:
    ///   - client: judge only records that name this client, and its database.
    ///   - progress: a few words about what is being done, many times.
    /// - Throws: when a server could not be asked; then there is no verdict.
    public func audit(client: ClientID?, progress: (String) -> Void) async throws -> AuditReport {
        let start = ContinuousClock.now
        defer { warehouse.shutdown() }
        progress("reading the clients")
        let postgres = try PostgresConnection(settings.postgresSettings)
        let clients = try ClientRepository(postgres).list()
        let discards = try DeadLetterDiscards.load(postgres, topic: settings.kafka.rawTopic)
        let mended = try MendedOrigins.load(postgres, topic: settings.kafka.rawTopic)
        let onlyClient = try client.map { try number(of: $0, clients) }
        let databases = AuditDatabases(warehouse: warehouse, topic: settings.kafka.rawTopic)
        try await warehouse.ask("SELECT 1 FORMAT RowBinary")
        let kafka = try AuditKafka(settings: settings, log: log)
        progress("reading the committed offsets")
        let partitions = try kafka.rawPartitions()
        // After the committed offsets: what was taken before a commit is there.
        let offsets = OffsetRepository(postgres, group: settings.kafka.groupID, topic: settings.kafka.rawTopic)
        let decided = AuditRun.Decided(acceptances: try offsets.acceptances(), losses: try offsets.losses())
        let judged = Dictionary(partitions.map { ($0.id, $0.judged) }, uniquingKeysWith: { $1 })
        progress("reading the dead letters")
        let deadLetters = try kafka.deadLetters(judged: judged) { progress("reading the dead letters: \($0.grouped)") }

        var run = AuditRun(
            settings: settings, clients: clients, onlyClient: onlyClient, partitions: partitions,
            deadLetters: deadLetters, databases: databases, decided: decided, discards: discards, mended: mended,
            unreadable: UnreadableDatabases(warehouse: warehouse))
        progress("looking at the databases")
        try await run.findRows()
        let removals = try AuditRemovals(postgres)
        let scan = try PartitionScan(properties: settings.kafkaProperties, log: log.kafkaLog)
        try await run.judge(scan, removals, progress)
        return run.report(took: ContinuousClock.now - start)
    }

    private func number(of id: ClientID, _ clients: [ClientRecord]) throws -> Int {
        guard let number = clients.firstIndex(where: { $0.id == id }) else {
            throw OperationError(
                "client_not_found", "there is no client with the id \(id); `router client list` shows all")
        }
        return number
    }
}
