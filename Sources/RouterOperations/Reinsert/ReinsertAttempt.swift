import ClickHouseClient
import RouterCore

/// One insert of some rows of a block.
struct ReinsertAttempt: Sendable {
    /// An insert that waited longer for its turn than this is not sent: its lease may be over.
    private static let startWithinMilliseconds = ReinsertRun.leaseMilliseconds / 2
    private static let graceMilliseconds = 10_000
    private static let quietPollMilliseconds = 250

    let block: Reinserter.Block
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
            topic: topic, client: block.client, partition: block.partition,
            offsets: block.origins(of: part).map(\.offset), salt: piece.salt)
        let statement = InsertStatement(
            database: block.database, token: token.description, queryID: queryID, rowCount: part.rowCount,
            maxExecutionSeconds: ReinsertRun.maxExecutionSeconds, capabilities: capabilities
        ).statement
        let request = ClickHouseRequest(
            sql: statement.sql, parameters: statement.parameters, settings: statement.settings,
            queryID: statement.queryID, body: .segments(part, part.segments),
            timeoutMilliseconds: ReinsertRun.maxExecutionSeconds * 1000 + Self.graceMilliseconds,
            startWithinMilliseconds: Self.startWithinMilliseconds)
        switch await client.perform(request) {
        case .acknowledged: return .acknowledged
        case .exception(let exception):
            switch ServerVerdict(code: exception.code) {
            case .rowFault: return .rowFault(message: exception.description)
            case .destinationFault:
                return .destinationFault(message: Self.destinationFault(exception, of: block.client))
            case .suspicion: return .failed(message: exception.description)
            }
        case .unknown(let fault):
            if fault.mayHaveReachedServer { try await awaitQuiet() }
            return .failed(message: fault.text)
        }
    }

    /// What is said of rows whose client has no table that could take them; a dry run says the same.
    static func destinationFault(_ exception: ClickHouseException, of client: ClientID) -> String {
        "\(exception.description); run: router provision \(client)"
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
            try await Task.sleep(for: .milliseconds(Self.quietPollMilliseconds))
        }
    }

    /// Which rows of the block the table holds now.
    func readBack() async throws -> RowSet {
        let part = block.rows.selecting(piece.rows)
        let held = try await finder.held(in: block.database, block.partition, block.origins(of: part))
        return RowSet(block.rows.rows(at: Array(held)))
    }
}
