import ClickHouseClient
import ClickHouseNative
import RouterConfiguration
import RouterConnections

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
        let request = ClickHouseRequest(
            sql: sql + " FORMAT RowBinary", parameters: parameters,
            settings: [("max_execution_time", "4"), ("timeout_overflow_mode", "throw")],
            timeoutMilliseconds: Doctor.questionMilliseconds)
        switch await client.perform(request) {
        case .acknowledged(let response): return RowBinaryReader(response.body)
        case .exception(let exception): throw exception
        case .unknown(let fault): throw fault
        }
    }
}
