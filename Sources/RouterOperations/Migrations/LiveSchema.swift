import ClickHouseClient
import ClickHouseNative
import RouterCore

/// The tables of one database as ClickHouse describes them, in a form that two databases can be compared by.
struct LiveSchema: Sendable, Equatable {
    /// `CREATE …` by the table's name, a line each, the database's name replaced by `{database}`.
    var tables: [String: [String]] = [:]

    /// Changes whenever a table does.
    var fingerprint: String {
        let text = tables.sorted { $0.key < $1.key }.map { "\($0.key)\u{0}\($0.value.joined(separator: "\n"))" }
        return KeyHash.sha256(of: text.joined(separator: "\u{1}")).hex
    }

    static func read(_ warehouse: Warehouse, database: String) async throws -> LiveSchema {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                """
                SELECT name, formatQuery(create_table_query) FROM system.tables
                 WHERE database = {db:String} AND NOT is_temporary AND NOT startsWith(name, '.inner') FORMAT RowBinary
                """, [("db", database)]))
        var schema = LiveSchema()
        while !reader.isAtEnd {
            let name = try reader.readString()
            schema.tables[name] = lines(of: try reader.readString(), database: database)
        }
        return schema
    }

    static func lines(of create: String, database: String) -> [String] {
        create.split(separator: "\n", omittingEmptySubsequences: false)
            .map { withoutDatabase(String($0), database) }
            // A client's retention is set for each client (`router client set`), and is not a migration's.
            .filter { !$0.hasPrefix("TTL ") }
    }

    /// `name.table` becomes `{database}.table`, with and without back quotes, and only where the whole name stands there.
    static func withoutDatabase(_ line: String, _ database: String) -> String {
        let unquoted = line.replacing(Identifier.quoted(database) + ".", with: "{database}.")
        var result = ""
        var rest = unquoted[...]
        while let range = rest.firstRange(of: database + ".") {
            result += rest[..<range.lowerBound]
            let isWhole = !(result.last.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false)
            result += isWhole ? "{database}." : String(rest[range])
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    /// What differs, a line each: `- ` is what the migrations make, `+ ` what is there. Empty when nothing does.
    func difference(from expected: LiveSchema) -> [String] {
        var lines: [String] = []
        for name in Set(tables.keys).union(expected.tables.keys).sorted() {
            switch (expected.tables[name], tables[name]) {
            case (let wanted?, nil): lines += ["\(name): missing"] + wanted.prefix(1).map { "- \($0)" }
            case (nil, let found?): lines += ["\(name): not made by any migration"] + found.prefix(1).map { "+ \($0)" }
            case (let wanted?, let found?) where wanted != found:
                lines.append("\(name): differs")
                let changes = found.difference(from: wanted)
                lines +=
                    changes.removals.map { "- \(Self.text(of: $0))" }
                    + changes.insertions.map { "+ \(Self.text(of: $0))" }
            default: break
            }
        }
        return lines
    }

    private static func text(of change: CollectionDifference<String>.Change) -> String {
        switch change {
        case .insert(_, let line, _), .remove(_, let line, _): line
        }
    }
}
