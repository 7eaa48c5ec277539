import FlyingSocks
import Foundation

/// Where the server listens.
public struct HTTPAddress: Sendable, Equatable, CustomStringConvertible {
    /// The address, not the name it was found under.
    public var host: String
    /// The port that was given, or the free one that was found for 0.
    public var port: Int

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Why the server cannot listen. It is not retried: whoever holds the port has it until someone acts.
public struct HTTPListenError: Error, Sendable, CustomStringConvertible {
    public static let code = "http_listen_failed"
    public static let isRetriable = false

    public var host: String
    public var port: Int
    public var explanation: String

    public var description: String {
        "cannot listen on \(host) port \(port) (ROUTER_HTTP_HOST, ROUTER_HTTP_PORT): \(explanation)"
    }
}

enum HTTPListener {
    /// A listening socket on the first address of the host that takes it.
    static func listen(host: String, port: Int) throws(HTTPListenError) -> (socket: Socket, address: HTTPAddress) {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            let reason = String(cString: gai_strerror(status))
            throw HTTPListenError(host: host, port: port, explanation: "the host name does not resolve: \(reason)")
        }
        defer { freeaddrinfo(list) }

        var last = "the host has no address"
        var next = list
        while let entry = next?.pointee {
            do {
                let socket = try open(entry)
                return (socket, try name(of: socket))
            } catch SocketError.failed(_, let number, let message) {
                last = explain(errno: number, message)
            } catch {
                last = error.localizedDescription
            }
            next = entry.ai_next
        }
        throw HTTPListenError(host: host, port: port, explanation: last)
    }

    private static func open(_ entry: addrinfo) throws -> Socket {
        let socket = try Socket(domain: entry.ai_family)
        do {
            // Without it a restart fails for a minute, while the kernel remembers the last life's connections.
            try socket.setValue(true, for: .localAddressReuse)
            // Not `socket.bind`: FlyingSocks 0.27.1 calls itself without end for an address of any family
            // (`sockaddr_storage.withSockAddr` asks for the size, which asks for the family, which asks for the bytes).
            guard Foundation.bind(socket.file.rawValue, entry.ai_addr, entry.ai_addrlen) == 0 else {
                throw SocketError.makeFailed("Bind")
            }
        } catch {
            try? socket.close()
            throw error
        }
        // It closes the socket itself when it fails.
        try socket.listen()
        return socket
    }

    private static func name(of socket: Socket) throws -> HTTPAddress {
        switch try socket.sockname() {
        case .ip4(let host, let port): HTTPAddress(host: host, port: Int(port))
        case .ip6(let host, let port): HTTPAddress(host: host, port: Int(port))
        case .unix(let path): HTTPAddress(host: path, port: 0)
        }
    }

    private static func explain(errno number: Int32, _ message: String) -> String {
        switch number {
        case EADDRINUSE: "another process listens there already; stop it, or choose another port (0 takes a free one)"
        case EACCES: "this process may not; ports below 1024 need a privilege"
        case EADDRNOTAVAIL: "this machine does not have that address"
        default: message
        }
    }
}
