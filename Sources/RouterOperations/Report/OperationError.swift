/// A command that failed: what, on what, what the server said, and what to do. The command ends with status 1.
public struct OperationError: Error, Sendable, CustomStringConvertible {
    /// A stable name that scripts may look for.
    public var code: String
    public var message: String
    /// True when the same command may succeed later with nothing changed.
    public var isRetriable: Bool

    public init(_ code: String, _ message: String, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }

    public var description: String { "\(code): \(message)" }
}
