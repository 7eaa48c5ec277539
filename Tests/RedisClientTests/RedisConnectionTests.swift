import Foundation
import RedisClient
import RouterTestSupport
import Testing

@Suite(.enabled(if: TestRedis.isAvailable, "needs Debian's redis-server"))
struct RedisConnectionTests {
    func connect(_ server: TestRedis, _ suffix: String = "", limit: Int = 1 << 20) throws -> RedisConnection {
        let url = try RedisURL(parsing: "redis://127.0.0.1:\(server.port)\(suffix)")
        return try RedisConnection(url, commandTimeoutMilliseconds: 10_000, replyLimitBytes: limit)
    }

    func code(_ body: () throws -> Void) -> RedisError.Code? {
        do { try body() } catch { return (error as? RedisError)?.code }
        return nil
    }

    @Test func repliesOfEveryKind() throws {
        let server = try TestRedis()
        defer { server.kill() }
        let connection = try connect(server, "/3")
        #expect(try connection.command("PING") == .status("PONG"))
        let binary: [UInt8] = [0, 13, 10, 255, 0]
        #expect(try connection.command([Array("SET".utf8), Array("k".utf8), binary]) == .status("OK"))
        #expect(try connection.command("GET", "k") == .string(binary))
        #expect(try connection.command("SET", "empty", "") == .status("OK"))
        #expect(try connection.command("MGET", "k", "none", "empty") == .array([.string(binary), .null, .string([])]))
        #expect(try connection.command("DEL", "k", "none") == .integer(1))
        guard case .failure(let text) = try connection.command("NOSUCH") else {
            Issue.record("an unknown command was not refused")
            return
        }
        #expect(text.contains("unknown command"))
        #expect(try server.cli("-n", "3", "EXISTS", "empty") == "1", "the database of the URL")
    }

    @Test func aPipelineAnswersInOrder() throws {
        let server = try TestRedis()
        defer { server.kill() }
        let connection = try connect(server)
        let commands = (0..<2_000).map { number in
            ["SETEX", "key\(number)", "100", "value\(number)"].map { Array($0.utf8) }
        }
        #expect(try connection.pipeline(commands).allSatisfy { $0 == .status("OK") })
        #expect(try connection.pipeline([]) == [])
        let reads = try connection.pipeline((0..<2_000).map { ["GET", "key\($0)"].map { Array($0.utf8) } })
        #expect(reads == (0..<2_000).map { .string(Array("value\($0)".utf8)) })
    }

    @Test func theReplyLimitAtItsEdge() throws {
        let server = try TestRedis()
        defer { server.kill() }
        try server.cli("SET", "k", String(repeating: "x", count: 100_000))
        // "$100000\r\n", the value, "\r\n"; PING's answer in between is counted with its own call.
        let wireBytes = 9 + 100_000 + 2
        #expect(try connect(server, limit: wireBytes).command("GET", "k").bytes?.count == 100_000)
        let tight = try connect(server, limit: wireBytes - 1)
        #expect(code { _ = try tight.command("GET", "k") } == .replyTooLarge)
        #expect(!tight.isOpen)
    }

    @Test func passwordsAreAskedForAndNeverShown() throws {
        let server = try TestRedis(password: "hush")
        defer { server.kill() }
        #expect(code { _ = try connect(server) } == .accessDenied)
        let url = try RedisURL(parsing: "redis://:wrong-one@127.0.0.1:\(server.port)")
        let error = #expect(throws: RedisError.self) { _ = try RedisConnection(url) }
        #expect(error?.code == .accessDenied)
        #expect(error?.description.contains("wrong-one") == false)
        let right = try RedisURL(parsing: "redis://default:hush@127.0.0.1:\(server.port)")
        #expect(try RedisConnection(right).command("PING") == .status("PONG"))
        #expect(
            code { _ = try RedisConnection(RedisURL(parsing: "redis://:hush@127.0.0.1:\(server.port)/99")) }
                == .accessDenied)
    }

    @Test func aDeadOrFrozenServerIsAnErrorInTime() throws {
        let server = try TestRedis()
        let url = try RedisURL(parsing: "redis://127.0.0.1:\(server.port)")
        let first = try RedisConnection(url, connectTimeoutMilliseconds: 200, commandTimeoutMilliseconds: 200)
        server.freeze()
        #expect(code { _ = try first.command("PING") } == .timedOut)
        #expect(code { _ = try first.command("PING") } == .connectionLost, "closed for good")
        server.thaw()
        let second = try RedisConnection(url, commandTimeoutMilliseconds: 10_000)
        server.kill()
        // The second write would be a SIGPIPE if nobody cared.
        #expect(code { _ = try second.command("PING") } == .connectionLost)
        #expect(code { _ = try RedisConnection(url) } == .unreachable)
    }

    @Test(
        arguments: [
            ("HTTP/1.1 400 Bad Request\r\n\r\n", .protocolFault), ("*1000000000\r\n", .replyTooLarge),
            ("*1\r\n*1\r\n+x\r\n", .replyTooLarge), ("$1000000000\r\n", .connectionLost), (":x\r\n", nil),
            ("", .connectionLost),
        ] as [(String, RedisError.Code?)])
    func aServerThatIsNotRedisIsAnError(answer: String, code: RedisError.Code?) throws {
        let listener = try FakeServer(answering: answer)
        let url = RedisURL(host: "127.0.0.1", port: listener.port)
        let error = #expect(throws: RedisError.self) {
            _ = try RedisConnection(url, connectTimeoutMilliseconds: 2_000, commandTimeoutMilliseconds: 300)
        }
        if let code { #expect(error?.code == code, "\(String(describing: error))") }
    }
}

/// Takes one connection, answers the first bytes with a fixed text, and closes.
private final class FakeServer {
    let port: Int

    init(answering text: String) throws {
        port = try TestServers.freePort()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let state = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard state == 0, listen(listener, 1) == 0 else { throw TestServers.Failure(description: "no listener") }
        Thread.detachNewThread {
            let connection = accept(listener, nil, nil)
            var bytes = [UInt8](repeating: 0, count: 1_000)
            _ = read(connection, &bytes, bytes.count)
            _ = write(connection, text, text.utf8.count)
            shutdown(connection, Int32(SHUT_WR))
            _ = read(connection, &bytes, bytes.count)
            close(connection)
            close(listener)
        }
    }
}
