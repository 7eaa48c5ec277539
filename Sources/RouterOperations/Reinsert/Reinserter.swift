import ClickHouseClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore

/// Inserts rows under the coordinates of their origins, unless a row is there: the one piece that replay and rebuild share.
///
/// The caller has asked `RowFinder` before; here each insert is followed by a read-back, whatever was answered, and by
/// nothing before ClickHouse is done with it. `Reinsertion` decides.
final class Reinserter {
    /// One client's rows of one partition.
    struct Block: Sendable {
        var client: ClientID
        var database: String
        var partition: Int32
        var rows: SealedBlock
    }

    struct Outcome: Sendable {
        var delivered: [Int64] = []
        var refused: [(offset: Int64, refusal: Refusal)] = []
    }

    /// Inserts at once: two cores of ClickHouse beside what the router sends.
    private static let connections = 4
    private static let graceMilliseconds = 10_000
    /// An insert that waited longer for its turn than this is not sent: its lease may be over.
    private static let startWithinMilliseconds = ReinsertRun.leaseMilliseconds / 2
    private static let quietPollMilliseconds = 250
    private static let firstPauseMilliseconds = 500

    private let client: ClickHouseClient
    private let warehouse: Warehouse
    private let finder: RowFinder
    private let topic: String
    private let run: ReinsertRun
    private let capabilities: ServerCapabilities
    private var queries = 0
    /// False while an insert may be under way at ClickHouse.
    private(set) var isQuiet = true
    private(set) var delivered = 0
    private(set) var failed = 0

    init(settings: Settings, warehouse: Warehouse, finder: RowFinder, run: ReinsertRun) async throws {
        client = ClickHouseClient(endpoint: settings.clickHouseEndpoint, connections: Self.connections)
        self.warehouse = warehouse
        self.finder = finder
        self.run = run
        topic = settings.kafka.rawTopic
        capabilities = try ServerCapabilities(answer: try await warehouse.ask(ServerCapabilities.question))
    }

    func shutdown() { client.shutdown() }

    /// What fails without reaching ClickHouse counts too, for the record of the run.
    func addFailed(_ count: Int) { failed += count }

    /// - Returns: in the order of the blocks.
    func insert(_ blocks: [Block]) async throws -> [Outcome] {
        var states = blocks.map { Reinsertion(rowCount: $0.rows.rowCount) }
        while true {
            let open = states.indices.filter { states[$0].next != nil }
            if open.isEmpty { break }
            let pause = open.map { states[$0].failures }.max() ?? 0
            if pause > 0 { try await Task.sleep(for: .milliseconds(Self.firstPauseMilliseconds << min(pause, 6))) }
            // No more than fit the lease: each connection has one insert and its read-back.
            for start in stride(from: 0, to: open.count, by: Self.connections) {
                let wave = open[start..<min(start + Self.connections, open.count)]
                try await insert(Array(wave), blocks, &states)
            }
        }
        return zip(blocks, states).map { block, state in
            var outcome = Outcome()
            outcome.delivered = state.delivered.rows.compactMap { block.rows.offset(ofRow: Int($0)) }
            for (rows, refusal) in state.refusals {
                outcome.refused += rows.rows.compactMap { block.rows.offset(ofRow: Int($0)) }.map { ($0, refusal) }
            }
            delivered += outcome.delivered.count
            failed += outcome.refused.count
            return outcome
        }
    }

    private func insert(_ wave: [Int], _ blocks: [Block], _ states: inout [Reinsertion]) async throws {
        try run.heartbeat(delivered: delivered, failed: failed)
        isQuiet = false
        let answers = try await withThrowingTaskGroup(of: (Int, ReinsertAnswer, RowSet).self) { group in
            for index in wave {
                guard let piece = states[index].next else { continue }
                queries += 1
                let attempt = Attempt(
                    block: blocks[index], piece: piece, topic: topic,
                    queryID: "\(run.queryPrefix)\(queries)-\(blocks[index].client)-",
                    capabilities: capabilities, client: client, warehouse: warehouse, finder: finder)
                group.addTask {
                    let answer = try await attempt.insert()
                    return (index, answer, try await attempt.readBack())
                }
            }
            var answers: [(Int, ReinsertAnswer, RowSet)] = []
            for try await answer in group { answers.append(answer) }
            return answers
        }
        isQuiet = true
        for (index, answer, held) in answers {
            if case .failed(let message) = answer, states[index].failures + 1 >= Reinsertion.maxFailures {
                // ClickHouse itself away is nobody's fault: the run ends, and nothing is said of the letters.
                do { try await warehouse.ask(DestinationProbe.server) } catch {
                    throw OperationError(
                        "clickhouse_unreachable", "ClickHouse does not take the rows: \(message)", isRetriable: true)
                }
            }
            do throws(Reinsertion.NotVisible) {
                try states[index].settled(answer, held: held)
            } catch {
                throw OperationError(
                    "rows_not_visible",
                    "ClickHouse acknowledged rows for \(blocks[index].database) and does not show them: reads and "
                        + "writes have to go to the same replica (CLICKHOUSE_HOST)")
            }
        }
    }

    /// One insert of some rows of a block.
    private struct Attempt: Sendable {
        let block: Block
        let piece: Reinsertion.Piece
        let topic: String
        let queryID: String
        let capabilities: ServerCapabilities
        let client: ClickHouseClient
        let warehouse: Warehouse
        let finder: RowFinder

        func insert() async throws -> ReinsertAnswer {
            let part = block.rows.selecting(piece.rows)
            let token = OriginSetToken.id(
                topic: topic, client: block.client, partition: block.partition, offsets: Self.offsets(part),
                salt: piece.salt)
            let statement = InsertStatement(
                database: block.database, token: token.description, queryID: queryID, rowCount: part.rowCount,
                maxExecutionSeconds: ReinsertRun.maxExecutionSeconds, capabilities: capabilities
            ).statement
            let request = ClickHouseRequest(
                sql: statement.sql, parameters: statement.parameters, settings: statement.settings,
                queryID: statement.queryID, body: .segments(part, part.segments),
                timeoutMilliseconds: ReinsertRun.maxExecutionSeconds * 1000 + Reinserter.graceMilliseconds,
                startWithinMilliseconds: Reinserter.startWithinMilliseconds)
            switch await client.perform(request) {
            case .acknowledged: return .acknowledged
            case .exception(let exception):
                switch ServerVerdict(code: exception.code) {
                case .rowFault: return .rowFault(message: exception.description)
                case .destinationFault: return .destinationFault(message: exception.description)
                case .suspicion: return .failed(message: exception.description)
                }
            case .unknown(let fault):
                if fault.mayHaveReachedServer { try await awaitQuiet() }
                return .failed(message: fault.text)
            }
        }

        /// Until the server says that the query is gone; where it does not say, until its own time limit has passed.
        private func awaitQuiet() async throws {
            let limit =
                ContinuousClock.now + .seconds(ReinsertRun.maxExecutionSeconds)
                + .milliseconds(ReinsertRun.graceMilliseconds)
            while ContinuousClock.now < limit {
                if let answer = try? await warehouse.ask(DestinationProbe.running(prefix: queryID)),
                    (try? CountAnswer.read(answer)) == 0
                {
                    return
                }
                try await Task.sleep(for: .milliseconds(Reinserter.quietPollMilliseconds))
            }
        }

        /// Which rows of the block the table holds now.
        func readBack() async throws -> RowSet {
            let part = block.rows.selecting(piece.rows)
            let held = try await finder.held(in: block.database, block.partition, Self.offsets(part))
            return RowSet(block.rows.rows(at: Array(held)))
        }

        static func offsets(_ rows: SealedBlock) -> [Int64] {
            (0..<rows.rowCount).compactMap { rows.offset(ofRow: $0) }
        }
    }
}
