/// A file of SQL statements, separated by semicolons, with `{placeholders}`.
///
/// A placeholder is a name between braces outside of quotes and comments: `{database}`. A braced name with a colon is
/// ClickHouse's own query parameter, and braces inside of quotes are its macros (`'/tables/{shard}'`): both stay.
public struct SchemaFile: Sendable, Equatable {
    public struct Statement: Sendable, Equatable {
        public var sql: String
        /// Where it starts in the file, from 1.
        public var line: Int
    }

    public var statements: [Statement]

    /// - Parameter placeholders: what to put in their places, as SQL: a database's name comes already quoted.
    public init(_ text: String, placeholders: [String: String] = [:]) throws(SchemaFileError) {
        var splitter = StatementSplitter(text: Array(text.utf8), placeholders: placeholders)
        statements = try splitter.split()
    }
}

public enum SchemaFileError: Error, Equatable, Sendable, CustomStringConvertible {
    case unfinished(what: String, line: Int)
    case unknownPlaceholder(name: String, line: Int)

    public var description: String {
        switch self {
        case .unfinished(let what, let line): "line \(line): \(what) starts here and does not end"
        case .unknownPlaceholder(let name, let line):
            "line \(line): {\(name)} is not a placeholder that is known here; a query parameter is written {\(name):Type}"
        }
    }
}
