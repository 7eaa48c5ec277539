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
        /// In the order of `rows`, until some of them are left out.
        var origins: [PartitionOrigin]

        /// Those of the rows in `part`.
        func origins(of part: SealedBlock) -> [PartitionOrigin] {
            let offsets = Set((0..<part.rowCount).compactMap { part.offset(ofRow: $0) })
            return origins.filter { offsets.contains($0.offset) }
        }

        /// Leaves out the rows of these offsets.
        mutating func remove(_ held: Set<Int64>) {
            origins.removeAll { held.contains($0.offset) }
            rows = rows.selecting(rows: rows.rows(at: origins.map(\.offset)))
        }
    }

    struct Outcome: Sendable {
        var delivered: [Int64] = []
        var refused: [(offset: Int64, refusal: Refusal)] = []
        /// The table could not be read after an insert, so nobody knows whether it holds them.
        var unknown: [Int64] = []
    }

    /// Inserts at once: two cores of ClickHouse beside what the router sends.
    private static let connections = 4
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
    /// - Throws: `clickhouse_unreachable` when ClickHouse takes no writes at all: nothing is said of the rows then.
    func insert(_ blocks: [Block]) async throws -> [Outcome] {
        var states = blocks.map { Reinsertion(rowCount: $0.rows.rowCount) }
        var unknown: Set<Int> = []
        while true {
            let open = states.indices.filter { states[$0].next != nil && !unknown.contains($0) }
            if open.isEmpty { break }
            let pause = open.map { states[$0].failures }.max() ?? 0
            if pause > 0 { try await Task.sleep(for: .milliseconds(Self.firstPauseMilliseconds << min(pause, 6))) }
            // No more than fit the lease: each connection has one insert and its read-back.
            for start in stride(from: 0, to: open.count, by: Self.connections) {
                let wave = open[start..<min(start + Self.connections, open.count)]
                unknown.formUnion(try await insert(Array(wave), blocks, &states))
            }
        }
        return zip(blocks, states).map(outcome)
    }

    private func outcome(_ block: Block, _ state: Reinsertion) -> Outcome {
        var outcome = Outcome()
        outcome.delivered = state.delivered.rows.compactMap { block.rows.offset(ofRow: Int($0)) }
        for (rows, refusal) in state.refusals {
            outcome.refused += rows.rows.compactMap { block.rows.offset(ofRow: Int($0)) }.map { ($0, refusal) }
        }
        let known = Set(outcome.delivered).union(outcome.refused.map(\.offset))
        outcome.unknown = block.origins.map(\.offset).filter { !known.contains($0) }
        delivered += outcome.delivered.count
        failed += outcome.refused.count
        return outcome
    }

    /// - Returns: the blocks whose table could not be read afterwards.
    private func insert(_ wave: [Int], _ blocks: [Block], _ states: inout [Reinsertion]) async throws -> [Int] {
        try run.heartbeat(delivered: delivered, failed: failed)
        isQuiet = false
        let answers = try await withThrowingTaskGroup(of: (Int, ReinsertAnswer, RowSet?).self) { [finder] group in
            for index in wave {
                guard let piece = states[index].next else { continue }
                queries += 1
                let attempt = ReinsertAttempt(
                    block: blocks[index], piece: piece, topic: topic,
                    queryID: "\(run.queryPrefix)\(queries)-\(blocks[index].client)-",
                    capabilities: capabilities, client: client, warehouse: warehouse, finder: finder)
                group.addTask {
                    let answer = try await attempt.insert()
                    do { return (index, answer, try await attempt.readBack()) } catch {
                        try await finder.unreadable.note(attempt.block.database, error)
                        return (index, answer, nil)
                    }
                }
            }
            var answers: [(Int, ReinsertAnswer, RowSet?)] = []
            for try await answer in group { answers.append(answer) }
            return answers
        }
        isQuiet = true
        var blame: String?
        for (index, answer, held) in answers {
            guard let held else { continue }
            var answer = answer
            let isOver = states[index].next?.rows.subtracting(held).isEmpty ?? true
            if case .failed(let message) = answer, !isOver, states[index].failures + 1 >= Reinsertion.maxFailures {
                // The same for all of the wave: one question.
                if blame == nil { blame = try await blameOfClient(message) }
                answer = .failed(message: message + (blame ?? ""))
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
        return answers.compactMap { $0.2 == nil ? $0.0 : nil }
    }

    /// Whose the trouble is when all tries of an insert are used up: a server that takes no writes is nobody's fault, so
    /// the run ends, and nothing is said of the letters.
    ///
    /// - Returns: what is to be added to the client's own error.
    private func blameOfClient(_ message: String) async throws -> String {
        let note: String
        switch await warehouse.writeProbe(prober: run.id.description) {
        case .taken: return ""
        case .missing:
            note =
                "; \(WriteProbe.quotedTable) is not there, so whether ClickHouse takes any writes cannot be told: "
                + "`router provision` makes it"
            do { try await warehouse.ask(DestinationProbe.server) } catch { throw unreachable("\(message)\(note)") }
            return note
        case .refused(let refusal):
            throw unreachable("\(message); a write to \(WriteProbe.quotedTable) is refused, too: \(refusal)")
        }
    }

    private func unreachable(_ message: String) -> OperationError {
        OperationError(
            "clickhouse_unreachable",
            "ClickHouse does not take the rows: \(message); see what it lacks, and run the command again: it goes on "
                + "where this one stopped", isRetriable: true)
    }
}
