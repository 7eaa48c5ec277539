import FlyingSocks
import Foundation
import Synchronization

/// The router's own HTTP server: a few endpoints that are read with GET, for supervisors, scrapers and people.
///
/// Bind first, so that a port in use is known before anything else starts; then `run`, which returns when its task is
/// cancelled.
public final class HTTPService: Sendable {
    private let host: String
    private let port: Int
    private let endpoints: HTTPEndpoints
    private let limits: HTTPLimits
    private let state = Mutex(State())

    private struct State {
        /// Nil before `bind`, and again once `run` has taken it over.
        var socket: Socket?
        var address: HTTPAddress?
        var connections = 0
    }

    /// - Parameters:
    ///   - host: a name or address of this machine; `0.0.0.0` or `::` for all of them.
    ///   - port: 0 for any free one; `address` tells which.
    public convenience init(host: String, port: Int, sources: HTTPSources) {
        self.init(host: host, port: port, sources: sources, limits: HTTPLimits())
    }

    init(host: String, port: Int, sources: HTTPSources, limits: HTTPLimits) {
        self.host = host
        self.port = port
        self.limits = limits
        endpoints = HTTPEndpoints(sources: sources, answerTimeout: limits.answerTimeout)
    }

    deinit {
        // Bound and never run.
        if let socket = state.withLock({ $0.socket }) { try? socket.close() }
    }

    /// Where it listens; nil before `bind`.
    public var address: HTTPAddress? { state.withLock { $0.address } }

    /// Takes the port. Connections wait in the kernel until `run`. Binding again changes nothing.
    @discardableResult
    public func bind() throws(HTTPListenError) -> HTTPAddress {
        if let address { return address }
        let (socket, address) = try HTTPListener.listen(host: host, port: port)
        state.withLock { state in
            state.socket = socket
            state.address = address
        }
        return address
    }

    /// Serves until the task is cancelled, and closes the port. Binds first when that has not been done. It can run
    /// once.
    public func run() async throws {
        try bind()
        guard let listening = state.withLock({ state in state.socket.take() }) else {
            throw HTTPListenError(host: host, port: port, explanation: "the server has run already")
        }
        defer { try? listening.close() }
        let pool: some AsyncSocketPool = SocketPool<Poll>.make()
        try await pool.prepare()
        let socket = try AsyncSocket(socket: listening, pool: pool)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                group.addTask { try await self.acceptConnections(on: socket) }
                defer { group.cancelAll() }
                // Neither ends by itself; whichever does has failed, or the task was cancelled.
                try await group.next()
            }
        } catch {
            if Task.isCancelled { return }
            throw error
        }
    }

    private func acceptConnections(on socket: AsyncSocket) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let connection: AsyncSocket
                do {
                    connection = try await socket.accept()
                } catch SocketError.failed(_, let number, _) where Self.isPassing(number) {
                    // Out of descriptors, or the client has gone: the pause keeps it from becoming a busy loop.
                    try await Task.sleep(for: .milliseconds(100))
                    continue
                }
                guard takeConnection() else {
                    refuse(connection)
                    continue
                }
                group.addTask {
                    await HTTPConnection(socket: connection, endpoints: self.endpoints, limits: self.limits).serve()
                    self.state.withLock { $0.connections -= 1 }
                }
            }
        }
    }

    private func takeConnection() -> Bool {
        state.withLock { state in
            guard state.connections < limits.connections else { return false }
            state.connections += 1
            return true
        }
    }

    /// One attempt to say why, without waiting.
    private func refuse(_ connection: AsyncSocket) {
        let answer = HTTPAnswer(status: 503, "Too many connections.")
        _ = try? connection.socket.write(Data(answer.bytes(withBody: true)))
        try? connection.close()
    }

    /// accept(2) also reports faults of the connection, and shortages that pass.
    private static func isPassing(_ number: Int32) -> Bool {
        [EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH]
            .contains(number)
    }
}
