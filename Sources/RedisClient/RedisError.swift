/// What failed, on which server, what the server said, and whether trying again can help.
public struct RedisError: Error, Sendable, CustomStringConvertible {
    /// Stable names: scripts and metrics may count by them.
    public enum Code: String, Sendable {
        /// The text of the setting is not a URL that we can use.
        case invalidURL = "redis_url_invalid"
        /// No connection could be made.
        case unreachable = "redis_unreachable"
        /// The server refused the user, the password or the database's number.
        case accessDenied = "redis_access_denied"
        /// The connection broke. Whether the command took effect is not known.
        case connectionLost = "redis_connection_lost"
        /// No answer in time. Whether the command took effect is not known.
        case timedOut = "redis_timed_out"
        /// The answer is larger than we are willing to hold.
        case replyTooLarge = "redis_reply_too_large"
        /// The answer is not Redis' protocol.
        case protocolFault = "redis_protocol_fault"
    }

    public var code: Code
    public var message: String
    /// True when the same call may succeed later without anyone changing anything.
    public var isRetriable: Bool

    public init(_ code: Code, _ message: String, isRetriable: Bool) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
