import ClickHouseClient
import PostgresClient
import RouterCore

/// Which origins of one topic have a row, in any database: a row wins, wherever a verdict or a fix-up once put it.
///
/// A database that cannot be read is left out and noted (`unreadable`): what may have its row there is not known to have
/// none, and it is the caller's to leave that alone.
struct RowFinder: Sendable {
    let unreadable: UnreadableDatabases
    private let warehouse: Warehouse
    private let topic: String
    private let databases: [String]
    private let erased: ErasedOrigins

    /// Asks once which databases there are, and what was erased.
    init(warehouse: Warehouse, topic: String, connection: PostgresConnection) async throws {
        self.warehouse = warehouse
        self.topic = topic
        unreadable = UnreadableDatabases(warehouse: warehouse)
        erased = try ErasedOrigins(RemovalLedger(connection: connection), topic: topic)
        databases = try await AuditDatabases(warehouse: warehouse, topic: topic).all().filter(\.isReadable).map(\.name)
    }

    /// Of these origins, ascending, those with a row, and those of a user who was erased: they are not to get one again.
    func held(_ partition: Int32, _ origins: [PartitionOrigin]) async throws -> Set<Int64> {
        var held = Set(origins.lazy.map(\.offset).filter { erased.contains(partition, $0) })
        let known = unreadable.names
        let databases = databases.filter { !known.contains($0) }
        for start in stride(from: 0, to: databases.count, by: OriginReadBack.maxDatabases) {
            let group = Array(databases[start..<min(start + OriginReadBack.maxDatabases, databases.count)])
            held.formUnion(try await self.held(in: group, partition, origins))
        }
        return held
    }

    /// One statement names them all, and one bad table fails it: then each is asked alone.
    private func held(in group: [String], _ partition: Int32, _ origins: [PartitionOrigin]) async throws -> Set<Int64> {
        if group.count > 1, let held = try? await ask(group, partition, origins) { return held }
        var held: Set<Int64> = []
        for database in group {
            do {
                held.formUnion(try await self.held(in: database, partition, origins))
            } catch {
                try await unreadable.note(database, error)
            }
        }
        try unreadable.checkSomeAnswer(of: databases.count)
        return held
    }

    /// The same of one database only; empty where it has no such table.
    func held(in database: String, _ partition: Int32, _ origins: [PartitionOrigin]) async throws -> Set<Int64> {
        do {
            return try await ask([database], partition, origins)
        } catch let exception as ClickHouseException where ServerVerdict.missingTargetCodes.contains(exception.code) {
            return []
        }
    }

    private func ask(
        _ databases: [String], _ partition: Int32, _ origins: [PartitionOrigin]
    ) async throws -> Set<Int64> {
        var held: Set<Int64> = []
        for start in stride(from: 0, to: origins.count, by: OriginReadBack.maxOffsets) {
            let part = origins[start..<min(start + OriginReadBack.maxOffsets, origins.count)]
            let answer = try await warehouse.ask(
                OriginReadBack.statement(
                    databases: databases, topic: topic, partition: partition, offsets: part.map(\.offset),
                    maxExecutionSeconds: Warehouse.maxExecutionSeconds),
                attempts: UnreadableDatabases.attempts)
            held.formUnion(OriginReadBack.held(part, rows: try ReadBack.origins(answer)))
        }
        return held
    }
}
