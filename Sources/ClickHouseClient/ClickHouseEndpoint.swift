/// Where ClickHouse is and as whom to speak to it. It describes itself without its password.
public struct ClickHouseEndpoint: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var host: String
    /// The HTTP port: 8123, or 8443 where secure.
    public var port: Int
    /// TLS, with the server's certificate and name verified against the system's authorities.
    public var secure: Bool
    /// Empty: the server's default user.
    public var user: String
    public var password: String

    public init(host: String, port: Int, secure: Bool = false, user: String = "", password: String = "") {
        self.host = host
        self.port = port
        self.secure = secure
        self.user = user
        self.password = password
    }

    public var description: String {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        return "\(secure ? "https" : "http")://\(user.isEmpty ? "" : "\(user)@")\(shownHost):\(port)"
    }

    public var debugDescription: String { description }
    /// Keeps `dump` and string interpolation of a containing value from showing the password.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}
