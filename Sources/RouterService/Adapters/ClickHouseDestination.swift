import ClickHouseClient
import RouterCore

/// Carries the delivery machine's questions and inserts to ClickHouse, and its answers to the mailbox.
///
/// It judges an answer by ClickHouse's own error code and never by the HTTP status.
final class ClickHouseDestination {
    private let client: ClickHouseClient
    private let mailbox: Mailbox
    /// In query ids, so that those of two lives never meet.
    private let life: UUID128
    private let maxExecutionSeconds: Int
    private(set) var capabilities: ServerCapabilities

    /// What the network and the queue at the server may take on top of the server's own time limit.
    private static let graceMilliseconds = 10_000
    /// A probe has to answer while an operator still waits for it.
    private static let probeTimeoutMilliseconds = 5_000
    /// What of a server's message goes into logs and dead letters.
    private static let maxMessageCharacters = 600

    init(
        client: ClickHouseClient, mailbox: Mailbox, life: UUID128, maxExecutionMilliseconds: Int64,
        capabilities: ServerCapabilities
    ) {
        self.client = client
        self.mailbox = mailbox
        self.life = life
        maxExecutionSeconds = Int(maxExecutionMilliseconds / 1000)
        self.capabilities = capabilities
    }

    func insert(
        ticket: UInt64, block: SealedBatch.Block, rows: RowSet, token: String, startBeforeMilliseconds: Int64
    ) {
        let part = block.rows.selecting(rows)
        let origin = part.origin
        let statement = InsertStatement(
            database: block.database, token: token,
            queryID: InsertStatement.queryID(
                batch: origin.batchID, client: origin.clientID, ticket: "\(life)-\(ticket)"),
            rowCount: part.rowCount, maxExecutionSeconds: maxExecutionSeconds, capabilities: capabilities
        ).statement
        var request = request(statement, timeoutMilliseconds: maxExecutionSeconds * 1000 + Self.graceMilliseconds)
        request.body = .segments(part, part.segments)
        let started = Clock.monotonicMilliseconds()
        request.startWithinMilliseconds = Int(max(0, startBeforeMilliseconds - started))
        client.submit(request) { [mailbox] answer in
            mailbox.post(
                .insertAnswered(
                    ticket: ticket, answer: Self.insertAnswer(answer),
                    durationMilliseconds: Clock.monotonicMilliseconds() - started))
        }
    }

    func askBatchQuiet(ticket: UInt64, batch: UUID128, scope: ReadBackScope) {
        var sinceSeconds: Double?
        if case .origin(let since) = scope {
            sinceSeconds = Double(max(0, Clock.monotonicMilliseconds() - since)) / 1000
        }
        let question = DestinationProbe.running(batch: batch, orAnyInsertSinceSeconds: sinceSeconds)
        submit(question, timeoutMilliseconds: DestinationProbe.maxExecutionSeconds * 1000) { answer in
            .batchQuietAnswered(ticket: ticket, answer: Self.quietAnswer(answer))
        }
    }

    func askQuiet(ticket: UInt64, batch: UUID128, client id: ClientID) {
        let question = DestinationProbe.running(prefix: InsertStatement.queryIDPrefix(batch: batch, client: id))
        submit(question, timeoutMilliseconds: DestinationProbe.maxExecutionSeconds * 1000) { answer in
            .quietAnswered(ticket: ticket, answer: Self.quietAnswer(answer))
        }
    }

    func readBack(ticket: UInt64, block: SealedBatch.Block, scope: ReadBackScope) {
        let rows = block.rows
        guard let range = rows.offsetRange else { return }
        let origin = rows.origin
        let byOrigin = scope != .batch
        let question =
            byOrigin
            ? ReadBack.originStatement(
                database: block.database, topic: origin.topic, partition: origin.partition, offsets: range,
                maxExecutionSeconds: maxExecutionSeconds)
            : ReadBack.statement(
                database: block.database, batch: origin.batchID, topic: origin.topic, partition: origin.partition,
                offsets: range, maxExecutionSeconds: maxExecutionSeconds)
        var request = request(question, timeoutMilliseconds: maxExecutionSeconds * 1000 + Self.graceMilliseconds)
        request.maxResponseBytes = ReadBack.maxResponseBytes(range, rowBytes: byOrigin ? 16 : 8)
        client.submit(request) { [mailbox] answer in
            mailbox.post(
                .delivery(
                    .readBackAnswered(ticket: ticket, answer: Self.readBackAnswer(answer, rows, byOrigin: byOrigin))))
        }
    }

    func probeServer(ticket: UInt64) {
        submit(DestinationProbe.server, timeoutMilliseconds: Self.probeTimeoutMilliseconds) { answer in
            .serverProbed(ticket: ticket, isWell: Self.isAcknowledged(answer))
        }
    }

    func probeWrite(ticket: UInt64) {
        submit(WriteProbe.insert(prober: life.description), timeoutMilliseconds: Self.probeTimeoutMilliseconds) {
            .writeProbed(ticket: ticket, answer: Self.writeProbeAnswer($0))
        }
    }

    // MARK: - Requests

    private func request(_ statement: DestinationStatement, timeoutMilliseconds: Int) -> ClickHouseRequest {
        ClickHouseRequest(
            sql: statement.sql, parameters: statement.parameters, settings: statement.settings,
            queryID: statement.queryID, timeoutMilliseconds: timeoutMilliseconds)
    }

    private func submit(
        _ statement: DestinationStatement, timeoutMilliseconds: Int,
        _ event: @escaping @Sendable (ClickHouseAnswer) -> DeliveryEvent
    ) {
        client.submit(request(statement, timeoutMilliseconds: timeoutMilliseconds)) { [mailbox] answer in
            mailbox.post(.delivery(event(answer)))
        }
    }

    // MARK: - Answers

    private static func isAcknowledged(_ answer: ClickHouseAnswer) -> Bool {
        if case .acknowledged = answer { return true }
        return false
    }

    private static func insertAnswer(_ answer: ClickHouseAnswer) -> InsertAnswer {
        switch answer {
        case .acknowledged: .acknowledged
        case .exception(let exception):
            switch ServerVerdict(code: exception.code) {
            case .rowFault: .rowFault(message: text(exception))
            case .destinationFault: .refused(message: text(exception), suspicion: .destination)
            case .suspicion(let slowDown):
                .refused(message: text(exception), suspicion: .serverOrDestination(slowDown: slowDown))
            }
        case .unknown(let fault) where fault.kind == .abandoned && !fault.mayHaveReachedServer:
            .notSent(message: fault.text)
        case .unknown(let fault):
            .unknown(message: fault.text, mayHaveReachedServer: fault.mayHaveReachedServer)
        }
    }

    private static func writeProbeAnswer(_ answer: ClickHouseAnswer) -> WriteProbeAnswer {
        switch answer {
        case .acknowledged: .taken
        case .exception(let exception):
            switch WriteProbe.outcome(code: exception.code, message: text(exception)) {
            case .taken: .taken
            case .missing: .missing
            case .refused(let message):
                .refused(message: message, slowDown: ServerVerdict.slowDownCodes.contains(exception.code))
            }
        case .unknown: .unknown
        }
    }

    private static func quietAnswer(_ answer: ClickHouseAnswer) -> QuietAnswer {
        switch answer {
        case .acknowledged(let response):
            switch try? CountAnswer.read(response.body) {
            case 0: .quiet
            case .some: .running
            case nil: .unknown
            }
        case .exception: .refused
        case .unknown: .unknown
        }
    }

    private static func readBackAnswer(
        _ answer: ClickHouseAnswer, _ rows: SealedBlock, byOrigin: Bool
    ) -> ReadBackAnswer {
        switch answer {
        case .acknowledged(let response):
            let held =
                byOrigin
                ? (try? ReadBack.origins(response.body)).map { rows.rows(atOrigins: $0) }
                : (try? ReadBack.offsets(response.body)).map { rows.rows(at: $0) }
            guard let held else { return .unknown }
            return .held(RowSet(held), offsets: rows.offsets)
        case .exception(let exception):
            if ServerVerdict.missingTargetCodes.contains(exception.code) { return .missing(offsets: rows.offsets) }
            return .refused(message: text(exception))
        case .unknown:
            return .unknown
        }
    }

    private static func text(_ exception: ClickHouseException) -> String {
        String(exception.description.prefix(maxMessageCharacters))
    }
}

extension SealedBlock {
    /// The offset of every row, ascending.
    var offsets: [Int64] { (0..<rowCount).compactMap { offset(ofRow: $0) } }
}
