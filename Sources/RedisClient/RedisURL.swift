import Foundation

/// Where Redis is and who we are there, as `redis://[user:password@]host[:port][/database]` says it.
public struct RedisURL: Sendable {
    public static let defaultPort = 6379

    public var host: String
    public var port: Int
    /// nil means Redis' user `default`.
    public var user: String?
    /// Never part of an error or a log line.
    public var password: String?
    public var database: Int

    public init(host: String, port: Int, user: String? = nil, password: String? = nil, database: Int = 0) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
    }

    /// A password with characters that mean something in a URL is percent-encoded. No error quotes the URL.
    public init(parsing text: String) throws(RedisError) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased() else {
            throw Self.invalid("it is not a URL; characters such as @ / : # % in a password are percent-encoded")
        }
        guard scheme != "rediss" else {
            throw Self.invalid(
                "rediss:// (TLS) is not supported; use redis:// on a trusted network or through a tunnel")
        }
        guard scheme == "redis" else { throw Self.invalid("the scheme is not redis://") }
        guard let host = parts.host, !host.isEmpty else { throw Self.invalid("it names no host") }
        guard parts.query == nil, parts.fragment == nil else {
            throw Self.invalid("it has a query or a fragment, which mean nothing here")
        }
        let port = parts.port ?? Self.defaultPort
        guard (1...65535).contains(port) else { throw Self.invalid("the port is not in 1 to 65535") }
        var path = parts.path
        if path.hasPrefix("/") { path.removeFirst() }
        guard path.isEmpty || (path.utf8.allSatisfy { (48...57).contains($0) } && Int(path) != nil) else {
            throw Self.invalid("what follows the host is not the number of a database")
        }
        // URLComponents keeps the brackets of an IPv6 address; getaddrinfo wants it without.
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        let user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        let password = parts.password.flatMap { $0.isEmpty ? nil : $0 }
        guard user == nil || password != nil else { throw Self.invalid("it names a user but no password") }
        self.init(
            host: isBracketed ? String(host.dropFirst().dropLast()) : host, port: port, user: user,
            password: password, database: Int(path) ?? 0)
    }

    /// For messages: names the server, never the password.
    var place: String { "Redis at \(host):\(port), database \(database)" }

    private static func invalid(_ text: String) -> RedisError {
        RedisError(
            .invalidURL, "the Redis URL is wrong: \(text) (redis://[user:password@]host[:port][/database])",
            isRetriable: false)
    }
}
