/// What is known about a request once it is over. There is no third guess between done and refused: whatever is
/// neither is `unknown`, and has to be found out by reading back.
public enum ClickHouseAnswer: Sendable {
    /// ClickHouse says that it did all of it.
    case acknowledged(ClickHouseResponse)
    /// ClickHouse says that it did not, and why. (An INSERT may still have left rows behind: a view that threw.)
    case exception(ClickHouseException)
    /// Nobody said anything that can be relied on.
    case unknown(ClickHouseTransportFault)
}

public struct ClickHouseResponse: Sendable {
    public var body: [UInt8]
    /// `X-ClickHouse-Summary`, by name (`written_rows`, `read_rows`, …); empty where the server sends none.
    public var summary: [String: UInt64]
    /// `X-ClickHouse-Query-Id`.
    public var queryID: String?

    public var writtenRows: UInt64? { summary["written_rows"] }
}

/// An exception that ClickHouse threw.
public struct ClickHouseException: Error, Sendable, Equatable, CustomStringConvertible {
    public var code: Int
    /// `UNKNOWN_TABLE` and the like; empty where the server does not tell.
    public var name: String
    /// The server's words, cut to `maxMessageBytes`.
    public var message: String
    public var httpStatus: Int

    /// Messages quote statements and stack traces; what goes into logs and dead letters is bounded.
    public static let maxMessageBytes = 2000

    public var description: String { "ClickHouse exception \(code)\(name.isEmpty ? "" : " (\(name))"): \(message)" }
}

/// Why there is no answer that can be relied on.
public struct ClickHouseTransportFault: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// No connection was made: the name, the address, the port, TLS.
        case connect
        /// The time of the request was over.
        case timeout
        /// The connection broke, or the answer is cut short.
        case broken
        /// There is a whole answer, but not one of ClickHouse's: a proxy's page, another server.
        case foreignAnswer = "foreign_answer"
        /// The answer is longer than the request allows.
        case responseTooLarge = "response_too_large"
        /// The client gave it up: it was shut down, or too many requests were waiting already.
        case abandoned
        /// The request itself cannot be sent: a host or URL that does not parse.
        case badRequest = "bad_request"
    }

    public var kind: Kind
    /// libcurl's code, 0 when it has nothing to do with it.
    public var curlCode: Int
    public var text: String
    /// HTTP's status; 0 when no status line came.
    public var httpStatus: Int
    /// False only if no byte of the request can have arrived: then a retry needs no read-back.
    public var mayHaveReachedServer: Bool

    public var description: String {
        "\(text)\(mayHaveReachedServer ? " (ClickHouse may have carried the request out)" : "")"
    }
}
