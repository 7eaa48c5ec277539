import Foundation

/// The parts of `REDIS_URL`, `redis://[user:password@]host[:port][/database]`, percent signs decoded.
public struct RedisAddress: Sendable, Equatable {
    public var host: String
    public var port: Int
    public var username: String?
    public var password: Secret?
    /// The number for `SELECT`.
    public var database: Int

    static let scheme = "redis://"
    /// Redis numbers its databases with an int of 32 bits; how many there are is the server's own setting.
    static let databases = 0...Int(Int32.max)

    /// Nil when the text is not such a URL. Written by hand because Foundation's parser repairs what is wrong
    /// (it percent-encodes stray characters), and a secret that was silently altered is the worst kind of typing error.
    init?(_ text: String) {
        guard text.utf8.count <= SecretFile.maxBytes, text.lowercased().hasPrefix(Self.scheme) else { return nil }
        var rest = text.dropFirst(Self.scheme.count)
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }

        // The last @, so that a password with a bare @ in it is read as it was meant.
        if let at = rest.lastIndex(of: "@") {
            let credentials = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            rest = rest[rest.index(after: at)...]
            guard let user = credentials[0].removingPercentEncoding else { return nil }
            username = user.isEmpty ? nil : user
            if credentials.count == 2 {
                guard let decoded = credentials[1].removingPercentEncoding else { return nil }
                password = decoded.isEmpty ? nil : Secret(decoded)
            }
            // Redis 6 has users, and each has a password; before that there was a password and no user.
            guard username == nil || password != nil else { return nil }
        }

        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let (host, port) = HostRules.splitHostAndPort(rest[..<slash]) else { return nil }
        let path = rest[slash...].dropFirst()
        guard path.isEmpty || path.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        guard let database = path.isEmpty ? 0 : Int(path), Self.databases.contains(database) else { return nil }
        self.host = String(host)
        self.port = port ?? 6379
        self.database = database
    }

    /// The URL as it may be shown.
    public var masked: String {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        let credentials = password == nil ? "" : (username ?? "") + ":\(Secret.mask)@"
        return "\(Self.scheme)\(credentials)\(shownHost):\(port)/\(database)"
    }
}
