import ClientStore
import KafkaClient
import PostgresClient
import RouterCore

/// What Postgres says about rows that are gone on purpose: removed ones by their offsets, expired ones by their age.
struct AuditRemovals {
    private let ledger: RemovalLedger
    private let expiryHorizons: [ClientID: Int64]

    init(_ connection: PostgresConnection) throws {
        ledger = RemovalLedger(connection: connection)
        expiryHorizons = try ClientRepository(connection).expiryHorizons()
    }

    /// Events that expire while the audit is under way.
    private static let graceMilliseconds: Int64 = 3_600_000

    /// By a client's number in the audit's list.
    func horizons(_ clients: [ClientRecord]) -> [Int: Int64] {
        Dictionary(
            clients.enumerated().compactMap { number, client in
                expiryHorizons[client.id].map { (number, $0 + Self.graceMilliseconds) }
            },
            uniquingKeysWith: { $1 })
    }

    /// A database that is being taken down is neither there nor counted for a moment.
    func unfinished() throws -> [String] {
        try ledger.unfinishedDeprovisions().map {
            "client \($0): its deprovisioning has not ended, so its rows may seem to be missing; run: router deprovision \($0)"
        }
    }

    func add(to window: inout OffsetWindow, _ place: TopicPartition, _ numbers: [ClientID: Int]) throws {
        try ledger.removedRows(place.topic, place.partition, window.range) { client, kind, runs in
            guard let number = numbers[client] else { return }
            for run in runs.runs { window.addRemoved(run, client: number, isErasure: kind == .erasure) }
        }
    }
}
