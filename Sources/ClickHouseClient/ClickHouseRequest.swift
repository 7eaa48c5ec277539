/// What is sent behind the statement.
///
/// `@unchecked Sendable`: raw buffers are not Sendable because nothing says who may write to them; here the owner that
/// comes with them is Sendable, keeps them alive and promises that nobody writes.
public enum ClickHouseBody: @unchecked Sendable {
    case none
    case bytes([UInt8])
    /// The buffers in the order of sending, and what keeps their memory alive until the answer.
    case segments(any Sendable, [UnsafeRawBufferPointer])

    /// The Content-Length.
    public var byteCount: Int {
        switch self {
        case .none: 0
        case .bytes(let bytes): bytes.count
        case .segments(_, let segments): segments.reduce(0) { $0 + $1.count }
        }
    }
}

/// One statement over HTTP.
public struct ClickHouseRequest: Sendable {
    /// With a body (an INSERT) the statement goes into the URL, else it is the request's body.
    public var sql: String
    /// `{name:Type}` in the statement: sent as `param_name`, escaped here as the server unescapes them.
    public var parameters: [(String, String)]
    /// Settings of this query. `wait_end_of_query=1` is always sent and need not be named.
    public var settings: [(String, String)]
    public var queryID: String?
    public var body: ClickHouseBody
    /// From the moment a connection is free for the request to its last byte: connecting, sending, waiting, receiving.
    public var timeoutMilliseconds: Int
    /// A longer answer is cut off and comes back as `.unknown`.
    public var maxResponseBytes: Int
    /// How long the request may wait for a free connection. One that comes too late is not sent: it is answered
    /// `.unknown`, kind `.abandoned`, not having reached the server. nil: as long as it takes.
    public var startWithinMilliseconds: Int?

    public static let defaultTimeoutMilliseconds = 30_000
    public static let defaultMaxResponseBytes = 64 * 1024 * 1024

    public init(
        sql: String, parameters: [(String, String)] = [], settings: [(String, String)] = [], queryID: String? = nil,
        body: ClickHouseBody = .none, timeoutMilliseconds: Int = defaultTimeoutMilliseconds,
        maxResponseBytes: Int = defaultMaxResponseBytes, startWithinMilliseconds: Int? = nil
    ) {
        self.sql = sql
        self.parameters = parameters
        self.settings = settings
        self.queryID = queryID
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
        self.maxResponseBytes = maxResponseBytes
        self.startWithinMilliseconds = startWithinMilliseconds
    }

    /// `name=value&…`, everything percent-encoded that is not unreserved (RFC 3986, 2.3).
    var urlQuery: String {
        var pairs = [("wait_end_of_query", "1")]
        if case .none = body {} else { pairs.append(("query", sql)) }
        if let queryID { pairs.append(("query_id", queryID)) }
        pairs += settings
        pairs += parameters.map { ("param_" + $0, Self.escapedParameter($1)) }
        return pairs.map { Self.percentEncoded($0) + "=" + Self.percentEncoded($1) }.joined(separator: "&")
    }

    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(byte)
            default:
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// The server reads a parameter's value in its TabSeparated escaping.
    static func escapedParameter(_ value: String) -> String {
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\t": escaped += "\\t"
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            case "\0": escaped += "\\0"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
