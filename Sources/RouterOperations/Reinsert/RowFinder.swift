import ClickHouseClient
import PostgresClient
import RouterCore

/// Which origins of one topic have a row, in any database: a row wins, wherever a verdict or a fix-up once put it.
struct RowFinder: Sendable {
    private let warehouse: Warehouse
    private let topic: String
    private let groups: [[String]]
    private let erased: ErasedOrigins

    /// Asks once which databases there are, and what was erased.
    init(warehouse: Warehouse, topic: String, connection: PostgresConnection) async throws {
        self.warehouse = warehouse
        self.topic = topic
        erased = try ErasedOrigins(RemovalLedger(connection: connection), topic: topic)
        let names = try await AuditDatabases(warehouse: warehouse, topic: topic).all().filter(\.isReadable).map(\.name)
        groups = stride(from: 0, to: names.count, by: OriginReadBack.maxDatabases).map {
            Array(names[$0..<min($0 + OriginReadBack.maxDatabases, names.count)])
        }
    }

    /// Of these offsets, ascending, those with a row, and those of a user who was erased: they are not to get one again.
    func held(_ partition: Int32, _ offsets: [Int64]) async throws -> Set<Int64> {
        var held = Set(offsets.filter { erased.contains(partition, $0) })
        for group in groups { held.formUnion(try await ask(group, partition, offsets)) }
        return held
    }

    /// The same of one database only; empty where it has no such table.
    func held(in database: String, _ partition: Int32, _ offsets: [Int64]) async throws -> Set<Int64> {
        do {
            return try await ask([database], partition, offsets)
        } catch let exception as ClickHouseException where exception.code == 60 || exception.code == 81 {
            return []
        }
    }

    private func ask(_ databases: [String], _ partition: Int32, _ offsets: [Int64]) async throws -> Set<Int64> {
        var held: Set<Int64> = []
        for start in stride(from: 0, to: offsets.count, by: OriginReadBack.maxOffsets) {
            let part = Array(offsets[start..<min(start + OriginReadBack.maxOffsets, offsets.count)])
            let answer = try await warehouse.ask(
                OriginReadBack.statement(
                    databases: databases, topic: topic, partition: partition, offsets: part,
                    maxExecutionSeconds: Warehouse.maxExecutionSeconds))
            held.formUnion(try ReadBack.offsets(answer))
        }
        return held
    }
}
