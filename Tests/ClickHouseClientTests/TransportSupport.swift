import ClickHouseClient
import Synchronization
import Testing

func withServer<Result>(
    closesOnAccept: Bool = false, connections: Int = 2,
    script: @escaping @Sendable (LyingServer.Received) -> LyingServer.Act,
    test: (ClickHouseClient, LyingServer) async throws -> Result
) async throws -> Result {
    let server = try LyingServer(closesOnAccept: closesOnAccept, script: script)
    let endpoint = ClickHouseEndpoint(host: "127.0.0.1", port: server.port, user: "rou ter", password: "p:ä\"")
    let client = ClickHouseClient(endpoint: endpoint, connections: connections)
    defer {
        client.shutdown()
        server.stop()
    }
    return try await test(client, server)
}

func insert(_ bytes: [UInt8] = [1, 2, 3], timeoutMilliseconds: Int = 20_000) -> ClickHouseRequest {
    ClickHouseRequest(
        sql: "INSERT INTO t FORMAT Native", body: .bytes(bytes), timeoutMilliseconds: timeoutMilliseconds)
}

func fault(_ answer: ClickHouseAnswer) throws -> ClickHouseTransportFault {
    guard case .unknown(let fault) = answer else {
        Issue.record("expected unknown, got \(answer)")
        throw Unexpected()
    }
    return fault
}

struct Unexpected: Error {}

/// Bytes in segments of uneven lengths, some of them empty.
final class Segments: @unchecked Sendable {
    let bytes: [UInt8]
    private let memory: UnsafeMutableRawBufferPointer
    let segments: [UnsafeRawBufferPointer]

    init(count: Int) {
        bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        memory = .allocate(byteCount: count, alignment: 1)
        memory.copyBytes(from: bytes)
        var segments = [UnsafeRawBufferPointer(start: nil, count: 0)]
        var position = 0
        var length = 1
        while position < count {
            let end = min(count, position + length)
            segments.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[position..<end]))
            segments.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[end..<end]))
            position = end
            length = length * 7 + 3
        }
        self.segments = segments
    }

    deinit { memory.deallocate() }
}

final class Answers: Sendable {
    private let list = Mutex<[ClickHouseAnswer]>([])
    var all: [ClickHouseAnswer] { list.withLock { $0 } }
    func add(_ answer: ClickHouseAnswer) { list.withLock { $0.append(answer) } }
}

/// Counts requests at the server and holds them until it is opened.
final class Arrivals: Sendable {
    private let state = Mutex((count: 0, isOpen: false))
    var isOpen: Bool { state.withLock { $0.isOpen } }
    func add() { state.withLock { $0.count += 1 } }
    func open() { state.withLock { $0.isOpen = true } }
    func wait(for count: Int) async {
        while state.withLock({ $0.count }) < count { try? await Task.sleep(for: .milliseconds(1)) }
    }
}
