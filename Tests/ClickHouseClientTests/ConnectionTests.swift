import ClickHouseClient
import Testing

/// Connections: kept, shared, dying, and what becomes of the requests that wait for one.
@Suite struct ConnectionTests {
    @Test func connectionsAreKeptAndUsedAgain() async throws {
        try await withServer(connections: 1, script: { _ in .send(response()) }) { client, server in
            for _ in 0..<20 { _ = await client.perform(insert()) }
            #expect(server.received.count == 20)
            #expect(server.connections == 1)
        }
    }

    /// libcurl would send the request again by itself when a kept-alive connection dies before the answer.
    @Test(arguments: [ClickHouseBody.bytes([1, 2, 3]), .none])
    func aRequestIsNotSentTwiceWhenAKeptConnectionDies(body: ClickHouseBody) async throws {
        try await withServer(
            connections: 1,
            script: { request in request.target.contains("second") ? .close : .send(response()) }
        ) { client, server in
            _ = await client.perform(insert())
            var second = ClickHouseRequest(sql: "INSERT", settings: [("second", "1")], body: body)
            second.timeoutMilliseconds = 10_000
            let fault = try fault(await client.perform(second))
            #expect(fault.mayHaveReachedServer)
            #expect(server.received.filter { $0.target.contains("second") }.count == 1)
        }
    }

    @Test func manyRequestsShareTheConnectionsAndEachGetsItsOwnAnswer() async throws {
        try await withServer(
            connections: 4,
            script: { request in .send(response(body: String(decoding: request.body, as: UTF8.self))) }
        ) { client, server in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let answer = await client.perform(insert(Array("body \(number)".utf8)))
                        guard case .acknowledged(let acknowledged) = answer else { return false }
                        return acknowledged.body == Array("body \(number)".utf8)
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
            #expect(server.received.count == 300)
            #expect(server.connections <= 4)
        }
    }

    @Test func noMoreThanTheConnectionsAreUnderWay() async throws {
        let arrived = Arrivals()
        try await withServer(
            connections: 2,
            script: { _ in
                arrived.add()
                return .wait({ arrived.isOpen }, response())
            }
        ) { client, server in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<6 { group.addTask { _ = await client.perform(insert()) } }
                await arrived.wait(for: 2)
                // Both connections are taken: a third request cannot have arrived, nor can it until one ends.
                #expect(server.received.count == 2)
                #expect(server.connections == 2)
                arrived.open()
            }
            #expect(server.received.count == 6)
        }
    }

    @Test func aRequestThatCannotStartInTimeIsNotSent() async throws {
        let arrived = Arrivals()
        try await withServer(
            connections: 1,
            script: { _ in
                arrived.add()
                return .wait({ arrived.isOpen }, response())
            }
        ) { client, server in
            async let first = client.perform(insert())
            await arrived.wait(for: 1)
            var late = insert()
            late.startWithinMilliseconds = 0
            var patient = insert()
            patient.startWithinMilliseconds = 600_000
            let answers = Answers()
            client.submit(late) { answers.add($0) }
            client.submit(patient) { answers.add($0) }
            arrived.open()
            _ = await first
            while answers.all.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
            let fault = try fault(answers.all[0])
            #expect(fault.kind == .abandoned)
            #expect(!fault.mayHaveReachedServer)
            guard case .acknowledged = answers.all[1] else {
                Issue.record("the patient one was not sent")
                return
            }
            #expect(server.received.count == 2)
        }
    }

    @Test func shutdownAnswersWhatWaitsAndWhatIsUnderWay() async throws {
        let server = try LyingServer { _ in .hang }
        defer { server.stop() }
        let client = ClickHouseClient(endpoint: .init(host: "127.0.0.1", port: server.port), connections: 1)
        let answers = Answers()
        for _ in 0..<3 { client.submit(insert()) { answers.add($0) } }
        while server.received.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        client.shutdown()
        let faults = try answers.all.map { try fault($0) }
        #expect(faults.count == 3)
        #expect(faults.filter(\.mayHaveReachedServer).count == 1)
        #expect(faults.allSatisfy { $0.kind == .abandoned })
        let late = try fault(await client.perform(insert()))
        #expect(!late.mayHaveReachedServer)
        client.shutdown()
    }

    @Test func aClientCanBeShutDownFromACompletion() async throws {
        try await withServer(script: { _ in .send(response()) }) { client, _ in
            await withCheckedContinuation { continuation in
                client.submit(insert()) { _ in
                    client.shutdown()
                    continuation.resume()
                }
            }
            let late = try fault(await client.perform(insert()))
            #expect(!late.mayHaveReachedServer)
        }
    }
}
