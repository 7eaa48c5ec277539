import ClickHouseClient
import ClickHouseNative
import RouterConfiguration
import RouterConnections
import RouterCore

/// Short questions to ClickHouse for checks: asked once, answered within seconds or not at all.
struct ClickHouseQuestions {
    private let client: ClickHouseClient
    let endpoint: ClickHouseEndpoint

    init(settings: Settings) {
        endpoint = settings.clickHouseEndpoint
        client = ClickHouseClient(endpoint: endpoint, connections: 1)
    }

    func shutdown() { client.shutdown() }

    func ask(_ sql: String, _ parameters: [(String, String)] = []) async throws -> RowBinaryReader {
        RowBinaryReader(
            try await send(
                ClickHouseRequest(
                    sql: sql + " FORMAT RowBinary", parameters: parameters,
                    settings: [("max_execution_time", "4"), ("timeout_overflow_mode", "throw")],
                    timeoutMilliseconds: Doctor.questionMilliseconds)))
    }

    /// A statement as the core puts it.
    func carryOut(_ statement: DestinationStatement) async throws {
        _ = try await send(
            ClickHouseRequest(
                sql: statement.sql, parameters: statement.parameters, settings: statement.settings,
                timeoutMilliseconds: Doctor.questionMilliseconds))
    }

    private func send(_ request: ClickHouseRequest) async throws -> [UInt8] {
        switch await client.perform(request) {
        case .acknowledged(let response): return response.body
        case .exception(let exception): throw exception
        case .unknown(let fault): throw fault
        }
    }
}
