import Foundation
import FoundationNetworking
import Synchronization
import Testing

@testable import RouterHTTP

@Suite struct HTTPServiceTests {
    /// By a client nobody here wrote.
    func get(_ port: Int, _ path: String, method: String = "GET") async throws -> (HTTPURLResponse, Data) {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.httpMethod = method
        let (data, response) = try await URLSession.shared.data(for: request)
        return (try #require(response as? HTTPURLResponse), data)
    }

    @Test func endpointsAnswerWithTheirSources() async throws {
        let metrics = PrometheusMetrics()
        let ready = Mutex(false)
        let sources = HTTPSources(
            alive: { true },
            readiness: {
                let ready = ready.withLock { $0 }
                return Readiness(
                    ready: ready, checks: [.init(name: "postgres", ok: ready, detail: "says \"no\"\n\u{1}")])
            },
            metrics: { metrics.exposition() }, status: { Array(#"{"lag":0}"#.utf8) })
        try await withServer(sources) { port async throws in
            let (health, healthBody) = try await get(port, "/healthz")
            #expect(health.statusCode == 200 && healthBody == Data("ok\n".utf8))

            let (notReady, body) = try await get(port, "/readyz")
            #expect(notReady.statusCode == 503)
            #expect(notReady.value(forHTTPHeaderField: "Content-Type") == "application/json")
            let json = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
            let checks = try #require(json["checks"] as? [[String: Any]])
            #expect(json["ready"] as? Bool == false && checks.count == 1)
            #expect(checks[0]["name"] as? String == "postgres" && checks[0]["ok"] as? Bool == false)
            #expect(checks[0]["detail"] as? String == "says \"no\"\n\u{1}")
            ready.withLock { $0 = true }
            #expect(try await get(port, "/readyz").0.statusCode == 200)

            let (scrape, text) = try await get(port, "/metrics?name=x")
            #expect(scrape.value(forHTTPHeaderField: "Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
            #expect(try Exposition(Array(text)).value("router_events_consumed_total") == 0)

            let (status, document) = try await get(port, "/api/status")
            #expect(status.statusCode == 200 && document == Data(#"{"lag":0}"#.utf8))
        }
    }

    @Test func notAliveIs503() async throws {
        var sources = HTTPSources.plain
        sources.alive = { false }
        try await withServer(sources) { port async throws in
            #expect(try await get(port, "/healthz").0.statusCode == 503)
        }
    }

    @Test(arguments: ["/", "/health", "/healthz/", "/metrics/x", "/%68ealthz", "/../healthz", "/api"])
    func otherPathsAre404(_ path: String) async throws {
        try await withServer { port async throws in
            #expect(try await exchange(port, "GET \(path) HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 404 Not Found\r\n"))
        }
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "OPTIONS", "get", "X"])
    func otherMethodsAre405(_ method: String) async throws {
        try await withServer { port async throws in
            let answer = try await exchange(port, "\(method) /metrics HTTP/1.0\r\n\r\n")
            #expect(
                answer.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n") && answer.contains("\r\nAllow: GET, HEAD\r\n"))
        }
    }

    @Test func headIsGetWithoutTheBody() async throws {
        try await withServer { port async throws in
            let got = try await exchange(port, "GET /metrics HTTP/1.0\r\n\r\n")
            let head = try await exchange(port, "HEAD /metrics HTTP/1.0\r\n\r\n")
            #expect(got == head + "metric 1\n")
            #expect(head.contains("\r\nContent-Length: 9\r\n") && head.hasSuffix("\r\n\r\n"))
        }
    }

    @Test(arguments: [
        ("GET /healthz HTTP/1.1\r\n\r\n", 400), ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200), ("GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET  /healthz HTTP/1.0\r\n\r\n", 400), ("GET /healthz\r\n\r\n", 400), ("\r\n\r\n", 400),
        ("GET healthz HTTP/1.0\r\n\r\n", 400), ("GET http://a/healthz HTTP/1.0\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nno colon\r\n\r\n", 400), ("GET /healthz HTTP/1.0\r\n: x\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nA : x\r\n\r\n", 400), ("GET /healthz HTTP/1.0\r\nA: x\r\n folded\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nA: x\ny\r\n\r\n", 400), ("GET /healthz HTTP/1.0\r\nA: \0\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", 400), ("GET /healthz HTTP/1.0\r\nA: ä\r\n\r\n", 200),
        ("G(T /healthz HTTP/1.0\r\n\r\n", 400), ("GET /healthz FTP/1.0\r\n\r\n", 400),
    ])
    func headsAreReadStrictly(_ request: String, _ status: Int) async throws {
        try await withServer { port async throws in
            #expect(try await exchange(port, request).hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    @Test func aHeadsLengthIsLimited() async throws {
        let limit = HTTPLimits().headBytes
        let start = "GET /healthz HTTP/1.0\r\nA: "
        func request(_ count: Int) -> String {
            start + String(repeating: "x", count: count - start.utf8.count - 4) + "\r\n\r\n"
        }
        let atLimit = request(limit)
        let over = request(limit + 1)
        let endless = start + String(repeating: "x", count: 60_000)
        try await withServer { port async throws in
            #expect(try await exchange(port, atLimit).hasPrefix("HTTP/1.1 200 "))
            #expect(try await exchange(port, over).hasPrefix("HTTP/1.1 431 "))
            #expect(try await exchange(port, endless).hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test func aHeadMayComeInPieces() async throws {
        try await withServer { port async throws in
            let client = try RawClient(port: port)
            defer { client.end() }
            for piece in ["GET /hea", "lthz HTTP/1.0\r", "\n\r", "\n"] {
                client.write(piece)
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try await client.answer().hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test func theAnswerArrivesThoughABodyIsStillSent() async throws {
        try await withServer { port async throws in
            let body = String(repeating: "x", count: 60_000)
            let answer = try await exchange(port, "POST /metrics HTTP/1.0\r\nContent-Length: 60000\r\n\r\n" + body)
            #expect(answer.hasPrefix("HTTP/1.1 405 "))
        }
    }

    @Test func whoSendsNothingIsCutOff() async throws {
        var limits = HTTPLimits()
        limits.headTimeout = .milliseconds(100)
        try await withServer(limits: limits) { port async throws in
            #expect(try await exchange(port, "GET /healthz HT").hasPrefix("HTTP/1.1 408 "))
        }
    }

    @Test func aSourceThatHangsIs503() async throws {
        var limits = HTTPLimits()
        limits.answerTimeout = .milliseconds(100)
        var sources = HTTPSources.plain
        let (never, continuation) = AsyncStream<Void>.makeStream()
        // It does not look at its cancellation either.
        sources.readiness = {
            await Task { for await _ in never {} }.value
            return Readiness(ready: true, checks: [])
        }
        try await withServer(sources, limits: limits) { port async throws in
            #expect(try await exchange(port, "GET /readyz HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
            #expect(try await exchange(port, "GET /healthz HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
        continuation.finish()
    }

    @Test func connectionsAreLimitedAndFreedAgain() async throws {
        var limits = HTTPLimits()
        limits.connections = 2
        try await withServer(limits: limits) { port async throws in
            let idle = [try RawClient(port: port), try RawClient(port: port)]
            // Accepted one after the other, so the third finds both places taken.
            let third = try RawClient(port: port)
            #expect(try await third.answer().hasPrefix("HTTP/1.1 503 "))
            third.end()
            idle.forEach { $0.write("GET /healthz HTTP/1.0\r\n\r\n") }
            for client in idle {
                #expect(try await client.answer().hasPrefix("HTTP/1.1 200 "))
                client.end()
            }
            // The places come free when the server has seen the ends. Until then it refuses, and what the client had
            // sent by then makes the kernel reset the connection: no answer at all.
            while true {
                let client = try RawClient(port: port)
                defer { client.end() }
                client.write("GET /healthz HTTP/1.0\r\n\r\n")
                if await client.readToEnd()?.hasPrefix("HTTP/1.1 200 ") == true { break }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    @Test func manyAtOnceAreAllAnswered() async throws {
        try await withServer { port async throws in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<40 {
                    group.addTask { try await exchange(port, "GET /metrics HTTP/1.0\r\n\r\n").hasSuffix("metric 1\n") }
                }
                for try await answered in group { #expect(answered) }
            }
        }
    }

    @Test func aLargeAnswerIsWhole() async throws {
        var sources = HTTPSources.plain
        let body = Array(repeating: UInt8(ascii: "x"), count: 5_000_000)
        sources.metrics = { body }
        try await withServer(sources) { port async throws in
            #expect(try await get(port, "/metrics").1.count == body.count)
        }
    }

    @Test func aPortInUseIsAClearError() throws {
        let first = HTTPService(host: "127.0.0.1", port: 0, sources: .plain)
        let port = try first.bind().port
        let second = HTTPService(host: "127.0.0.1", port: port, sources: .plain)
        let error = #expect(throws: HTTPListenError.self) { try second.bind() }
        let text = try #require(error).description
        #expect(text.contains("127.0.0.1 port \(port)") && text.contains("another process listens there already"))
        #expect(second.address == nil && first.address?.port == port)
    }

    @Test(arguments: ["host.invalid", "203.0.113.7"]) func aHostThatIsNotHereIsAClearError(_ host: String) {
        #expect(throws: HTTPListenError.self) { try HTTPService(host: host, port: 0, sources: .plain).bind() }
    }

    @Test func thePortIsFreeAgainAfterwards() async throws {
        let seen = Mutex(0)
        try await withServer { port async throws in
            seen.withLock { $0 = port }
            #expect(try await exchange(port, "GET /healthz HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
        #expect(try HTTPService(host: "127.0.0.1", port: seen.withLock { $0 }, sources: .plain).bind().port > 0)
    }

    @Test func itEndsThoughAClientHangs() async throws {
        let client = Mutex<RawClient?>(nil)
        try await withServer { port async throws in
            client.withLock { $0 = try? RawClient(port: port) }
            #expect(try await exchange(port, "GET /healthz HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        }
        client.withLock { $0?.end() }
    }

    @Test func itRunsOnce() async throws {
        let service = HTTPService(host: "127.0.0.1", port: 0, sources: .plain)
        let first = Task { try await service.run() }
        first.cancel()
        try await first.value
        await #expect(throws: HTTPListenError.self) { try await service.run() }
    }
}
