import ClickHouseNative
import RouterCore

/// What a client's `events_base` is, read back from the server: its columns and its deduplication window.
struct TableShape: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        var name: String
        var type: String
    }

    /// In the table's order; empty when there is no such table.
    var columns: [Column] = []
    var engine = ""
    /// How many parts' tokens the table remembers; 0 switches deduplication off.
    var deduplicationWindow = 0

    var exists: Bool { !columns.isEmpty }

    /// The smallest window that is taken: each insert of a client makes a part or more, and a token has to be known for
    /// longer than a member's lease (45 s), at some 20 inserts a second.
    static let minDeduplicationWindow = 1000

    /// The columns that the router fills, and their types in the table.
    static let required = EventColumn.allCases.map { Column(name: $0.name, type: type(of: $0)) }

    static func type(of column: EventColumn) -> String {
        switch column {
        case .eventName, .sourceTopic: "LowCardinality(String)"
        default:
            switch column.type {
            case .uuid: "UUID"
            case .string: "String"
            case .int32: "Int32"
            case .int64: "Int64"
            case .dateTime64Milliseconds: "DateTime64(3, 'UTC')"
            }
        }
    }

    /// What of the table does not fit, as the end of a sentence; nil when the router can insert. Columns beyond the
    /// required ones are a migration's or the client's own.
    var misfit: String? {
        let types = Dictionary(columns.map { ($0.name, $0.type) }, uniquingKeysWith: { $1 })
        let missing = Self.required.filter { types[$0.name] == nil }.map(\.name)
        if let first = missing.first {
            return "has no column \(first)"
                + (missing.count > 1 ? ", nor \(missing.count - 1) more that are needed" : "")
        }
        for column in Self.required where types[column.name] != column.type {
            return "has the column \(column.name) as \(types[column.name] ?? "?") and not as \(column.type)"
        }
        return nil
    }

    /// The value of `name = value` in the text of a table's engine.
    static func setting(_ name: String, inEngine text: String) -> Int? {
        guard let range = text.range(of: name + " = ") else { return nil }
        return Int(text[range.upperBound...].prefix { $0.isASCII && $0.isNumber })
    }
}
