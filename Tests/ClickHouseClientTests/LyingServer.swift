import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A server on loopback that reads whole HTTP requests and then does to each what the test's script says.
///
/// Blocking sockets, a thread a connection: simple enough to be believed, which matters more here than speed.
final class LyingServer: Sendable {
    struct Received: Sendable {
        var connection: Int
        var target: String
        var headers: [String: String]
        var body: [UInt8]
    }

    enum Act: Sendable {
        /// Sends these bytes and keeps the connection.
        case send([UInt8])
        /// Sends these bytes and closes.
        case sendAndClose([UInt8])
        case close
        /// Says nothing, until the server stops.
        case hang
        /// Says nothing, until the condition holds; then sends.
        case wait(@Sendable () -> Bool, [UInt8])
    }

    let port: Int
    private let listener: Int32
    private let script: @Sendable (Received) -> Act
    private let closesOnAccept: Bool
    private let state = Mutex(State())

    private struct State {
        var received: [Received] = []
        var connections = 0
        var open: Set<Int32> = []
        var isStopped = false
    }

    /// - Parameter closesOnAccept: close every connection before a byte is read.
    init(closesOnAccept: Bool = false, script: @escaping @Sendable (Received) -> Act) throws {
        self.script = script
        self.closesOnAccept = closesOnAccept
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 128) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard bound else { throw ServerError.cannotListen(errno) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detach { [self] in acceptLoop() }
    }

    enum ServerError: Error { case cannotListen(Int32) }

    var received: [Received] { state.withLock { $0.received } }
    var connections: Int { state.withLock { $0.connections } }

    func stop() {
        let open = state.withLock { state in
            state.isStopped = true
            return state.open
        }
        shutdown(listener, Int32(SHUT_RDWR))
        for socket in open { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private func acceptLoop() {
        while true {
            let socket = accept(listener, nil, nil)
            if socket < 0 { break }
            if closesOnAccept {
                state.withLock { $0.connections += 1 }
                close(socket)
                continue
            }
            let number: Int? = state.withLock { state in
                if state.isStopped { return nil }
                state.open.insert(socket)
                state.connections += 1
                return state.connections
            }
            guard let number else {
                close(socket)
                break
            }
            Thread.detach { [self] in
                serve(socket, number)
                state.withLock { _ = $0.open.remove(socket) }
                close(socket)
            }
        }
        close(listener)
    }

    private func serve(_ socket: Int32, _ number: Int) {
        while let request = readRequest(socket, number) {
            state.withLock { $0.received.append(request) }
            switch script(request) {
            case .send(let bytes): write(socket, bytes)
            case .sendAndClose(let bytes):
                write(socket, bytes)
                return
            case .close: return
            case .hang: while !state.withLock({ $0.isStopped }) { usleep(2000) }
            case .wait(let condition, let bytes):
                while !condition(), !state.withLock({ $0.isStopped }) { usleep(1000) }
                write(socket, bytes)
            }
        }
    }

    private func write(_ socket: Int32, _ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                send(socket, raw.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    private func readRequest(_ socket: Int32, _ number: Int) -> Received? {
        var head: [UInt8] = []
        var byte = [UInt8](repeating: 0, count: 1)
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard recv(socket, &byte, 1, 0) == 1, head.count < 1 << 20 else { return nil }
            head.append(byte[0])
        }
        var lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n").map(String.init)
        let words = lines.removeFirst().split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines {
            let sides = line.split(separator: ":", maxSplits: 1).map(String.init)
            if sides.count == 2 { headers[sides[0].lowercased()] = String(sides[1].drop { $0 == " " }) }
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        var body = [UInt8](repeating: 0, count: length)
        var filled = 0
        while filled < length {
            let count = body.withUnsafeMutableBytes { raw in
                recv(socket, raw.baseAddress.map { $0 + filled }, length - filled, 0)
            }
            if count <= 0 { return nil }
            filled += count
        }
        return Received(connection: number, target: words.count > 1 ? words[1] : "", headers: headers, body: body)
    }
}

/// Blocking calls need threads of their own: a pool would run out of them.
enum Thread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func detach(_ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(body)).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context)
        precondition(code == 0, "no thread for the test's server")
        pthread_detach(thread)
    }
}

/// An HTTP response as bytes.
func response(
    _ status: String = "200 OK", headers: [String] = ["X-ClickHouse-Query-Id: q"], body: String = "", length: Int? = nil
) -> [UInt8] {
    let lines = ["HTTP/1.1 \(status)"] + headers + ["Content-Length: \(length ?? body.utf8.count)"]
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
}
