import ClickHouseClient
import Testing

/// What the client makes of the answers that servers and proxies give on their bad days.
@Suite struct TransportTests {
    @Test func acknowledgesAWholeAnswerAndSendsWhatWasAsked() async throws {
        let summary = #"X-ClickHouse-Summary: {"read_rows":"7","written_rows":"3","elapsed_ns":"18446744073709551615"}"#
        try await withServer(script: { _ in
            .send(response(headers: [summary, "X-ClickHouse-Query-Id: abc"], body: "x"))
        }) { client, server in
            let answer = await client.perform(
                ClickHouseRequest(
                    sql: "INSERT INTO a&b=c FORMAT Native ÿ", parameters: [("p", "tab\there\\")],
                    settings: [("async_insert", "0")], queryID: "id 1", body: .bytes([0, 255, 10])))
            guard case .acknowledged(let acknowledged) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(acknowledged.body == Array("x".utf8))
            #expect(acknowledged.writtenRows == 3)
            #expect(acknowledged.summary["elapsed_ns"] == UInt64.max)
            #expect(acknowledged.queryID == "abc")
            let request = try #require(server.received.first)
            #expect(request.body == [0, 255, 10])
            #expect(
                request.target == "/?wait_end_of_query=1&query=INSERT%20INTO%20a%26b%3Dc%20FORMAT%20Native%20%C3%BF"
                    + "&query_id=id%201&async_insert=0&param_p=tab%5Cthere%5C%5C")
            // Made by another hand: printf 'rou ter:p:ä"' | base64
            #expect(request.headers["authorization"] == "Basic cm91IHRlcjpwOsOkIg==")
            #expect(request.headers["expect"] == nil)
            #expect(request.headers["transfer-encoding"] == nil)
        }
    }

    @Test func sendsAStatementWithoutABodyAsTheBody() async throws {
        try await withServer(script: { _ in .send(response()) }) { client, server in
            _ = await client.perform(ClickHouseRequest(sql: "SELECT 1"))
            let request = try #require(server.received.first)
            #expect(request.body == Array("SELECT 1".utf8))
            #expect(request.target == "/?wait_end_of_query=1")
        }
    }

    @Test(arguments: [0, 1, 64 * 1024, 1_500_001]) func sendsSegmentsInOrder(bytes count: Int) async throws {
        try await withServer(script: { _ in .send(response()) }) { client, server in
            let owner = Segments(count: count)
            let request = ClickHouseRequest(sql: "INSERT", body: .segments(owner, owner.segments))
            guard case .acknowledged = await client.perform(request) else {
                Issue.record("not acknowledged")
                return
            }
            let received = try #require(server.received.first)
            #expect(received.body == owner.bytes)
        }
    }

    @Test func aStatus200IsNoAcknowledgementByItself() async throws {
        let text = "Code: 469. DB::Exception: Constraint `c` is violated. (VIOLATED_CONSTRAINT) (version 26.9.2.1)\n"
        for lie in [
            response(headers: ["X-ClickHouse-Exception-Code: 469"], body: text),
            response(headers: ["X-ClickHouse-Query-Id: q"], body: text),
            response(
                headers: ["X-ClickHouse-Query-Id: q", "X-ClickHouse-Exception-Tag: abcdefghijklmnop"],
                body: "1\n2\n\r\n__exception__\r\nabcdefghijklmnop\r\n\(text)93 abcdefghijklmnop\r\n__exception__\r\n"),
        ] {
            try await withServer(script: { _ in .send(lie) }) { client, _ in
                guard case .exception(let exception) = await client.perform(insert()) else {
                    Issue.record("taken for something else than an exception")
                    return
                }
                #expect(exception.code == 469)
                #expect(exception.name == "VIOLATED_CONSTRAINT")
                #expect(exception.httpStatus == 200)
                #expect(exception.message.hasPrefix("Code: 469. DB::Exception: Constraint"))
            }
        }
    }

    @Test func anAnswerThatIsNotClickHousesIsUnknown() async throws {
        for (lie, status) in [
            (response("500 Internal Server Error", headers: [], body: "<html>oops</html>"), 500),
            (response("502 Bad Gateway", headers: [], body: "<html>nginx</html>"), 502),
            (response("404 Not Found", headers: [], body: "no such page"), 404),
            (response("302 Found", headers: ["Location: http://127.0.0.1:1/"]), 302),
            (response("204 No Content", headers: ["X-ClickHouse-Query-Id: q"]), 204),
            (response("200 OK", headers: [], body: "<html>sign in to the network</html>"), 200),
            (response("200 OK", headers: ["X-ClickHouse-Exception-Code: none"]), 200),
        ] {
            try await withServer(script: { _ in .send(lie) }) { client, _ in
                let fault = try fault(await client.perform(insert()))
                #expect(fault.kind == .foreignAnswer)
                #expect(fault.httpStatus == status)
                #expect(fault.mayHaveReachedServer)
            }
        }
    }

    @Test func anExceptionIsTakenFromTheHeaderWhateverTheStatus() async throws {
        for status in ["200 OK", "404 Not Found", "500 Internal Server Error", "503 Service Unavailable"] {
            let body = "Code: 60. DB::Exception: Table d.t does not exist. (UNKNOWN_TABLE) (version 24.8.1)"
            let answer = response(status, headers: ["x-clickhouse-exception-code: 60"], body: body)
            try await withServer(script: { _ in .send(answer) }) { client, _ in
                guard case .exception(let exception) = await client.perform(insert()) else {
                    Issue.record("\(status) is not taken for an exception")
                    return
                }
                #expect(exception.code == 60)
                #expect(exception.name == "UNKNOWN_TABLE")
            }
        }
    }

    @Test func aLongExceptionIsCutAndStillAnException() async throws {
        let body = "Code: 62. DB::Exception: " + String(repeating: "ä", count: 200_000)
        let answer = response("400 Bad Request", headers: ["X-ClickHouse-Exception-Code: 62"], body: body)
        try await withServer(script: { _ in .send(answer) }) { client, _ in
            var request = insert()
            request.maxResponseBytes = 10
            guard case .exception(let exception) = await client.perform(request) else {
                Issue.record("not taken for an exception")
                return
            }
            #expect(exception.message.utf8.count <= ClickHouseException.maxMessageBytes + 3)
            #expect(exception.message.hasSuffix("ä…"))
        }
    }

    @Test func aCutAnswerIsUnknown() async throws {
        let chunked = "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n"
        let unframed = "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\n\r\nabcd"
        for lie in [
            response(body: "abc", length: 4), response(length: 1), Array(chunked.utf8), Array(unframed.utf8),
            Array("HTTP/1.1 200 OK\r\nX-Click".utf8), Array("HT".utf8),
        ] {
            try await withServer(script: { _ in .sendAndClose(lie) }) { client, _ in
                let fault = try fault(await client.perform(insert()))
                #expect(fault.mayHaveReachedServer)
            }
        }
    }

    @Test func aWholeChunkedAnswerIsAcknowledged() async throws {
        let answer =
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
        try await withServer(script: { _ in .send(Array(answer.utf8)) }) { client, _ in
            guard case .acknowledged(let acknowledged) = await client.perform(insert()) else {
                Issue.record("not acknowledged")
                return
            }
            #expect(acknowledged.body == Array("abcd".utf8))
        }
    }

    @Test func anAnswerOfExactlyTheLimitPassesAndOneByteMoreDoesNot() async throws {
        try await withServer(script: { _ in .send(response(body: String(repeating: "x", count: 1000))) }) { client, _ in
            var request = insert()
            request.maxResponseBytes = 1000
            guard case .acknowledged = await client.perform(request) else {
                Issue.record("an answer within the limit was refused")
                return
            }
            request.maxResponseBytes = 999
            let fault = try fault(await client.perform(request))
            #expect(fault.kind == .responseTooLarge)
        }
    }

    @Test func silenceEndsAtTheTimeout() async throws {
        try await withServer(script: { _ in .hang }) { client, _ in
            let fault = try fault(await client.perform(insert(timeoutMilliseconds: 200)))
            #expect(fault.kind == .timeout)
            #expect(fault.mayHaveReachedServer)
        }
    }

    @Test func aConnectionClosedAfterTheRequestMayHaveCarriedItOut() async throws {
        try await withServer(script: { _ in .close }) { client, server in
            let fault = try fault(await client.perform(insert()))
            #expect(fault.kind == .broken)
            #expect(fault.mayHaveReachedServer)
            #expect(server.received.count == 1)
        }
    }

    @Test func aConnectionClosedAtOnceIsUnknown() async throws {
        try await withServer(closesOnAccept: true, script: { _ in .close }) { client, _ in
            // Whether bytes got out before the close is a race; what matters is that nobody takes it for done.
            _ = try fault(await client.perform(insert()))
        }
    }

    @Test func nobodyListeningCannotHaveReachedAnybody() async throws {
        let server = try LyingServer { _ in .close }
        let port = server.port
        server.stop()
        let client = ClickHouseClient(endpoint: ClickHouseEndpoint(host: "127.0.0.1", port: port), connections: 1)
        defer { client.shutdown() }
        // The kernel may need a moment to let go of the listener.
        var last: ClickHouseTransportFault?
        for _ in 0..<200 {
            last = try fault(await client.perform(insert()))
            if last?.kind == .connect { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(last?.kind == .connect)
        #expect(last?.mayHaveReachedServer == false)
    }

    @Test(arguments: ["", "a b", "host/path", "user@host", "ho\nst", "http://x"]) func refusesWhatIsNoHost(host: String)
        async throws
    {
        let client = ClickHouseClient(endpoint: ClickHouseEndpoint(host: host, port: 8123), connections: 1)
        defer { client.shutdown() }
        let fault = try fault(await client.perform(insert()))
        #expect(fault.kind == .badRequest)
        #expect(!fault.mayHaveReachedServer)
    }

    @Test func aTLSClientDoesNotSpeakToAPlainServer() async throws {
        let server = try LyingServer { _ in .send(response()) }
        defer { server.stop() }
        let endpoint = ClickHouseEndpoint(host: "127.0.0.1", port: server.port, secure: true)
        let client = ClickHouseClient(endpoint: endpoint, connections: 1)
        defer { client.shutdown() }
        let fault = try fault(await client.perform(insert(timeoutMilliseconds: 300)))
        #expect(!fault.mayHaveReachedServer)
        #expect(server.received.isEmpty)
    }

    @Test func thePasswordShowsNowhere() {
        let endpoint = ClickHouseEndpoint(host: "h", port: 1, user: "u", password: "secret-word")
        var dumped = ""
        dump([endpoint], to: &dumped)
        for text in [endpoint.description, "\(endpoint)", "\([endpoint])", String(reflecting: endpoint), dumped] {
            #expect(!text.contains("secret-word"))
            #expect(text.contains("u@h:1"))
        }
    }
}
