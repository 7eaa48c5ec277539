import Foundation
import Testing

@testable import RouterHTTP

/// Sends bytes as they are and reads until the server closes: for requests that no client library would send.
struct RawClient {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        // A test that waits for ever says nothing.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Everything until the end; nil when the connection was reset or nothing came.
    func readToEnd() async -> String? {
        await withCheckedContinuation { continuation in
            // A thread of its own: a blocking read must not take one of the few that tasks share.
            Thread.detachNewThread {
                var all: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 65536)
                while true {
                    let count = recv(descriptor, &buffer, buffer.count, 0)
                    if count < 0 { return continuation.resume(returning: nil) }
                    if count == 0 { return continuation.resume(returning: String(decoding: all, as: UTF8.self)) }
                    all += buffer[..<count]
                }
            }
        }
    }

    func answer() async throws -> String {
        let answer = await readToEnd()
        return try #require(answer)
    }

    func end() { close(descriptor) }
}

/// Sends one request to a server and reads the answer.
func exchange(_ port: Int, _ request: String) async throws -> String {
    let client = try RawClient(port: port)
    defer { client.end() }
    client.write(request)
    return try await client.answer()
}

extension HTTPSources {
    static let plain = HTTPSources(
        alive: { true },
        readiness: { Readiness(ready: true, checks: [.init(name: "kafka", ok: true, detail: "3 brokers")]) },
        metrics: { Array("metric 1\n".utf8) }, status: { Array("{}\n".utf8) })
}

/// Runs a server on a free port for the time of the body, and then sees that it ends.
func withServer(
    _ sources: HTTPSources = .plain, limits: HTTPLimits = HTTPLimits(),
    _ body: @escaping @Sendable (_ port: Int) async throws -> Void
) async throws {
    let service = HTTPService(host: "127.0.0.1", port: 0, sources: sources, limits: limits)
    let port = try service.bind().port
    let running = Task { try await service.run() }
    do {
        try await body(port)
    } catch {
        running.cancel()
        throw error
    }
    running.cancel()
    try await running.value
}
