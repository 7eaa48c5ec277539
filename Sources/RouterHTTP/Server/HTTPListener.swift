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
        func failure(_ explanation: String) -> HTTPListenError {
            HTTPListenError(host: host, port: port, explanation: explanation)
        }
        let addresses: [sockaddr_storage]
        do {
            addresses = try resolve(host: host, port: port)
        } catch {
            throw failure("the host name does not resolve: \(error.explanation)")
        }
        var last = failure("the host has no address")
        for address in addresses {
            do {
                let socket = try open(address)
                return (socket, try name(of: socket))
            } catch SocketError.failed(_, let number, let message) {
                last = failure(explain(errno: number, message))
            } catch {
                last = failure(error.localizedDescription)
            }
        }
        throw last
    }

    private static func open(_ address: sockaddr_storage) throws -> Socket {
        let socket = try Socket(domain: Int32(address.ss_family))
        do {
            // Without it a restart fails for a minute, while the kernel remembers the last life's connections.
            try socket.setValue(true, for: .localAddressReuse)
            try socket.bind(to: address)
            try socket.listen()
            return socket
        } catch {
            try? socket.close()
            throw error
        }
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

    private struct ResolveFailure: Error {
        var explanation: String
    }

    private static func resolve(host: String, port: Int) throws(ResolveFailure) -> [sockaddr_storage] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else { throw ResolveFailure(explanation: String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(list) }
        var addresses: [sockaddr_storage] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                var storage = sockaddr_storage()
                let count = min(Int(entry.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
                withUnsafeMutableBytes(of: &storage) {
                    $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: count))
                }
                addresses.append(storage)
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }
}
