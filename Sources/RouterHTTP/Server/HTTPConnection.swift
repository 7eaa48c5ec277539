import FlyingSocks
import Foundation

/// What one connection may take; a scraper is far below all of it, and whoever is above it is cut off.
struct HTTPLimits: Sendable {
    /// Curl sends 80 bytes, a browser with cookies 2,000.
    var headBytes = 8 * 1024
    var headTimeout: Duration = .seconds(5)
    var answerTimeout: Duration = .seconds(5)
    /// A scrape of megabytes over a slow line.
    var writeTimeout: Duration = .seconds(10)
    /// A scraper or two and some people; each connection takes a file descriptor and some kilobytes.
    var connections = 64
    /// What a client may still be sending when it has its answer (the body of a POST) is read and thrown away up to
    /// here, because closing with unread bytes makes the kernel drop the answer on its way.
    var drainBytes = 64 * 1024
    var drainTimeout: Duration = .seconds(1)
}

/// One request, one answer, and the connection is closed: nothing to keep alive, nothing to smuggle behind the first.
struct HTTPConnection: Sendable {
    let socket: AsyncSocket
    let endpoints: HTTPEndpoints
    let limits: HTTPLimits

    private enum Received: Sendable {
        case head([UInt8])
        case tooLong
        case closed
    }

    func serve() async {
        defer { try? socket.close() }
        guard let received = await within(limits.headTimeout, { try await receiveHead() }) else {
            return await send(HTTPAnswer(status: 408, "The request did not arrive in time."), withBody: true)
        }
        switch received {
        case .closed: return
        case .tooLong:
            await send(
                HTTPAnswer(status: 431, "The request's head is longer than \(limits.headBytes) bytes."),
                withBody: true)
        case .head(let bytes): await answer(bytes)
        }
    }

    private func answer(_ bytes: [UInt8]) async {
        do throws(HTTPRequestHead.Fault) {
            let head = try HTTPRequestHead(bytes)
            await send(await endpoints.answer(to: head), withBody: head.method != "HEAD")
        } catch .malformed {
            await send(HTTPAnswer(status: 400, "That is not an HTTP request."), withBody: true)
        } catch {
            await send(HTTPAnswer(status: 505, "HTTP/1.1 and HTTP/1.0 are spoken here."), withBody: true)
        }
    }

    private func receiveHead() async throws -> Received {
        var bytes: [UInt8] = []
        while true {
            do {
                let more = try await socket.read(atMost: min(4096, limits.headBytes + 1 - bytes.count))
                let searched = bytes.count
                bytes += more
                if let end = HTTPRequestHead.end(in: bytes, from: searched), end <= limits.headBytes {
                    return .head(Array(bytes[..<end]))
                }
                if bytes.count > limits.headBytes { return .tooLong }
            } catch SocketError.disconnected {
                return .closed
            }
        }
    }

    private func send(_ answer: HTTPAnswer, withBody: Bool) async {
        let data = Data(answer.bytes(withBody: withBody))
        guard await within(limits.writeTimeout, { try await socket.write(data) }) != nil else { return }
        shutdown(socket.socket.file.rawValue, Int32(SHUT_WR))
        _ = await within(limits.drainTimeout) { try await drain() }
    }

    private func drain() async throws {
        var count = 0
        while count < limits.drainBytes { count += try await socket.read(atMost: 4096).count }
    }

    /// What `work` returns; nil when it fails, takes longer, or the server stops. Waiting on a socket ends at once when
    /// it is cancelled.
    private func within<Value: Sendable>(
        _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { try? await work() }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
