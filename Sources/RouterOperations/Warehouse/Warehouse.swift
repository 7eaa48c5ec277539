import ClickHouseClient
import RouterConfiguration
import RouterConnections
import RouterCore

/// ClickHouse as commands ask it: statements that may be sent again (reads, and DDL with IF NOT EXISTS), so that a
/// passing fault is tried again here and the caller gets an answer or an error.
struct Warehouse: Sendable {
    /// Attempts in all. Faults that pass at all pass within seconds, and a person is waiting.
    static let attempts = 4
    static let firstPauseMilliseconds = 250
    /// DDL waits for merges and other DDL on the table; reads of an audit's window take seconds.
    static let timeoutMilliseconds = 120_000
    /// The server's own limit is a little shorter, so that its clearer error comes first.
    static let maxExecutionSeconds = 110
    static let defaultSettings = [
        ("max_execution_time", String(maxExecutionSeconds)), ("timeout_overflow_mode", "throw"),
    ]

    private let client: ClickHouseClient
    let endpoint: ClickHouseEndpoint

    init(settings: Settings, connections: Int = 2) {
        endpoint = settings.clickHouseEndpoint
        client = ClickHouseClient(endpoint: endpoint, connections: connections)
    }

    /// - Parameter attempts: in all.
    /// - Returns: the answer's body.
    /// - Throws: `ClickHouseException` as the server threw it, or `OperationError` when it could not be asked.
    @discardableResult
    func ask(
        _ sql: String, _ parameters: [(String, String)] = [], settings: [(String, String)] = defaultSettings,
        maxResponseBytes: Int = ClickHouseRequest.defaultMaxResponseBytes, attempts: Int = Self.attempts
    ) async throws -> [UInt8] {
        var pause = Self.firstPauseMilliseconds
        for attempt in 1... {
            let request = ClickHouseRequest(
                sql: sql, parameters: parameters, settings: settings,
                timeoutMilliseconds: Self.timeoutMilliseconds, maxResponseBytes: maxResponseBytes)
            switch await client.perform(request) {
            case .acknowledged(let response): return response.body
            case .exception(let exception):
                guard attempt < attempts, Self.passes(exception) else { throw exception }
            case .unknown(let fault):
                if fault.kind == .responseTooLarge { throw fault }
                guard attempt < attempts, fault.kind != .badRequest, fault.kind != .foreignAnswer else {
                    throw unreachable(fault)
                }
            }
            try await Task.sleep(for: .milliseconds(pause))
            pause *= 2
        }
        // The loop above has no end but its returns and throws.
        throw OperationError("clickhouse_unreachable", "ClickHouse was not asked")
    }

    /// Sends a statement once, whatever comes of it: for one that may not be sent again before its outcome is known.
    func once(_ sql: String, queryID: String, timeoutSeconds: Int) async -> ClickHouseAnswer {
        await client.perform(
            ClickHouseRequest(
                sql: sql,
                settings: [("max_execution_time", String(timeoutSeconds)), ("timeout_overflow_mode", "throw")],
                queryID: queryID,
                // The server's own limit comes first, with the clearer error.
                timeoutMilliseconds: (timeoutSeconds + Self.timeoutMilliseconds / 1000 - Self.maxExecutionSeconds)
                    * 1000))
    }

    /// Too busy, out of memory, a lock or a keeper for a moment: codes of the server that pass by themselves.
    static func passes(_ exception: ClickHouseException) -> Bool {
        [159, 164, 202, 209, 210, 241, 242, 252, 285, 319, 425, 473, 999].contains(exception.code)
    }

    func unreachable(_ fault: ClickHouseTransportFault) -> OperationError {
        OperationError(
            "clickhouse_unreachable",
            "ClickHouse at \(endpoint) does not answer: \(fault.text); see that it is up, and the CLICKHOUSE_ settings",
            isRetriable: true)
    }

    /// A question as the core puts it, with the settings that its exactness needs.
    @discardableResult
    func ask(
        _ statement: DestinationStatement, maxResponseBytes: Int = ClickHouseRequest.defaultMaxResponseBytes,
        attempts: Int = Self.attempts
    ) async throws -> [UInt8] {
        try await ask(
            statement.sql, statement.parameters, settings: statement.settings, maxResponseBytes: maxResponseBytes,
            attempts: attempts)
    }

    func shutdown() { client.shutdown() }
}
