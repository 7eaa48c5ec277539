/// From a request's head to its answer.
struct HTTPEndpoints: Sendable {
    var sources: HTTPSources
    /// How long a source may take.
    var answerTimeout: Duration

    static let paths = ["/healthz", "/readyz", "/metrics", "/api/status"]

    func answer(to head: HTTPRequestHead) async -> HTTPAnswer {
        guard Self.paths.contains(head.path) else {
            return HTTPAnswer(
                status: 404, "There is nothing here; there are \(Self.paths.joined(separator: ", ")).")
        }
        guard head.method == "GET" || head.method == "HEAD" else {
            return HTTPAnswer(status: 405, "Only GET and HEAD are answered here.", allow: "GET, HEAD")
        }
        let sources = sources
        let answer = await Self.within(answerTimeout) { () async -> HTTPAnswer in
            switch head.path {
            case "/healthz":
                return sources.alive() ? HTTPAnswer(status: 200, "ok") : HTTPAnswer(status: 503, "not working")
            case "/readyz":
                let readiness = await sources.readiness()
                return HTTPAnswer(
                    status: readiness.ready ? 200 : 503, contentType: "application/json", body: readiness.json())
            case "/metrics":
                return HTTPAnswer(
                    status: 200, contentType: PrometheusMetrics.contentType, body: await sources.metrics())
            default:
                return HTTPAnswer(status: 200, contentType: "application/json", body: await sources.status())
            }
        }
        return answer ?? HTTPAnswer(status: 503, "No answer within \(answerTimeout).")
    }

    /// What `work` returns, or nil when it takes longer. It is cancelled then, but not waited for: a source that hangs
    /// and does not notice must not hold the connection.
    static func within<Value: Sendable>(
        _ limit: Duration, _ work: @escaping @Sendable () async -> Value
    ) async -> Value? {
        let (values, continuation) = AsyncStream<Value>.makeStream()
        let worker = Task {
            continuation.yield(await work())
            continuation.finish()
        }
        let alarm = Task {
            try? await Task.sleep(for: limit)
            continuation.finish()
        }
        defer {
            worker.cancel()
            alarm.cancel()
        }
        for await value in values { return value }
        return nil
    }
}
