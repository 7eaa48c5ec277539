/// What failed, on which server, what the server said, and whether trying again can help.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// Stable names: scripts and metrics may count by them.
    public enum Code: String, Sendable {
        /// No connection could be made.
        case unreachable = "postgres_unreachable"
        /// The server refused the user, the password or the database.
        case accessDenied = "postgres_access_denied"
        /// The connection broke. Whether the statement took effect is not known.
        case connectionLost = "postgres_connection_lost"
        /// No answer in time. Whether the statement took effect is not known.
        case timedOut = "postgres_timed_out"
        /// Another thread ended the wait.
        case interrupted = "postgres_interrupted"
        /// The server refused the statement; `sqlState` says why.
        case statementFailed = "postgres_statement_failed"
        /// The server refused the statement because a value is there already; `constraint` says which.
        case uniqueViolation = "postgres_unique_violation"
        /// A row or value was not of the shape that the program relies on.
        case unexpectedResult = "postgres_unexpected_result"
    }

    public var code: Code
    /// The server's five characters, when it was the server that refused.
    public var sqlState: String?
    /// The constraint that was violated, when one was.
    public var constraint: String?
    public var message: String
    /// True when the same call may succeed later without anyone changing anything.
    public var isRetriable: Bool

    public init(
        _ code: Code, _ message: String, sqlState: String? = nil, constraint: String? = nil, isRetriable: Bool
    ) {
        self.code = code
        self.sqlState = sqlState
        self.constraint = constraint
        self.message = message
        self.isRetriable = isRetriable
    }

    public var description: String {
        let state = sqlState.map { " (SQLSTATE \($0))" } ?? ""
        return "\(code.rawValue): \(message)\(state)"
    }

    /// SQLSTATE classes that pass by themselves: connection exceptions (08), serialization and deadlock (40), lack
    /// of resources (53), the operator's intervention such as a shutdown (57), system errors (58).
    static func isRetriable(sqlState: String) -> Bool {
        ["08", "40", "53", "57", "58"].contains { sqlState.hasPrefix($0) }
    }

    /// libpq's messages have several lines; an error is one.
    static func oneLine(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "no message" }
        let lines = String(cString: text).split(whereSeparator: \.isNewline)
        return lines.map { $0.drop(while: { $0 == " " || $0 == "\t" }) }.joined(separator: "; ")
    }
}
