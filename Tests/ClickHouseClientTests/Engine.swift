import ClickHouseClient
import Foundation
import RouterCore
import Testing

/// ClickHouse's own engine behind dev/clickhouse-front, on a port and in a folder of its own.
final class Engine: Sendable {
    let client: ClickHouseClient
    private let process: Process
    private let folder: URL

    enum Failure: Error { case notReady(String), exception(String) }

    static func start() async throws -> Engine {
        let engine = try Engine()
        do {
            try await engine.waitUntilReady()
        } catch {
            engine.stop()
            throw error
        }
        return engine
    }

    private init() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let python = ProcessInfo.processInfo.environment["ROUTER_TEST_PYTHON"] ?? root.path + "/.dev/venv/bin/python"
        try #require(FileManager.default.isExecutableFile(atPath: python), "\(python) is missing: run `make setup`")
        folder = FileManager.default.temporaryDirectory.appending(path: "router-engine-\(UUID().uuidString)")
        // A port that was free a moment ago.
        let server = try LyingServer { _ in .close }
        let port = server.port
        server.stop()
        process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [root.path + "/dev/clickhouse-front", "--port", String(port), "--data", folder.path]
        process.environment = ProcessInfo.processInfo.environment.merging(["CLICKHOUSE_FRONT_PASSWORD": "pass word"]) {
            $1
        }
        process.standardError = FileHandle.nullDevice
        try process.run()
        client = ClickHouseClient(
            endpoint: ClickHouseEndpoint(host: "127.0.0.1", port: port, user: "default", password: "pass word"),
            connections: 4)
    }

    private func waitUntilReady() async throws {
        var last = ""
        for _ in 0..<600 {
            let answer = await client.perform(DestinationProbe.server.request())
            if case .acknowledged = answer { return }
            last = "\(answer)"
            guard process.isRunning else { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure.notReady(last)
    }

    func stop() {
        client.shutdown()
        // Not SIGTERM: a process started from one of Dispatch's threads inherits their mask, which blocks it. There is
        // nothing here worth an orderly end.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    /// The answer's body; throws the server's words otherwise.
    @discardableResult
    func ask(_ statement: DestinationStatement) async throws -> [UInt8] {
        switch await client.perform(statement.request()) {
        case .acknowledged(let response): return response.body
        case let other: throw Failure.exception("\(statement.sql): \(other)")
        }
    }

    func run(_ sql: String) async throws -> String {
        String(decoding: try await ask(DestinationStatement(sql: sql)), as: UTF8.self)
    }
}

extension DestinationStatement {
    func request(_ body: ClickHouseBody = .none) -> ClickHouseRequest {
        ClickHouseRequest(sql: sql, parameters: parameters, settings: settings, queryID: queryID, body: body)
    }
}
