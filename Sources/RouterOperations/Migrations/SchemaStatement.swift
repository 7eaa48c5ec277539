/// One statement of a schema version, ready to be sent, and what its words say about sending it twice.
struct SchemaStatement: Sendable, Equatable {
    /// Its place in the file, from 1.
    var number: Int
    /// The line of its first word in the file.
    var line: Int
    /// Without the comments in front of it.
    var sql: String
    /// SHA-256 of the statement as it stands in the file, before any client's name.
    var checksum: String
    /// What a second run of does no harm: IF NOT EXISTS in every part, OR REPLACE, a MODIFY, or the author says so.
    var isRepeatable: Bool
    /// Whether it changes what `system.tables` says, so that its effect can be seen there.
    var changesSchema: Bool
    /// Copies rows that are there: the inserts that began before have to be over, or their rows would be missed.
    var copiesRows: Bool

    /// What an author writes into a statement's comment: running it again does no harm.
    static let repeatableMark = "router:repeatable"

    init(number: Int, line: Int, sql: String, checksum: String, cluster: String? = nil) throws(ClusterSQLError) {
        self.number = number
        self.line = line
        self.checksum = checksum
        let scan = SQLTokens(sql)
        let tokens = scan.tokens
        // Without the comments in front of it: whoever looks at system.processes sees what it does.
        let plain = String(decoding: sql.utf8.dropFirst(tokens.first?.range.lowerBound ?? 0), as: UTF8.self)
        self.sql =
            try cluster.map { name throws(ClusterSQLError) in try ClusterSQL.statement(plain, cluster: name) } ?? plain
        let first = tokens.first?.text ?? ""
        copiesRows = first == "INSERT"
        changesSchema =
            ["CREATE", "DROP", "ALTER", "RENAME", "ATTACH", "DETACH", "EXCHANGE"].contains(first)
            && !Self.isMutation(tokens)
        isRepeatable = scan.comments.contains(Self.repeatableMark) || Self.isRepeatable(tokens)
    }

    // MARK: Words

    private static func isMutation(_ tokens: [SQLTokens.Token]) -> Bool {
        tokens.first?.text == "ALTER" && (tokens.holds(["UPDATE"]) || tokens.holds(["DELETE"]))
    }

    private static func isRepeatable(_ tokens: [SQLTokens.Token]) -> Bool {
        switch tokens.first?.text {
        case "CREATE": tokens.holds(["IF", "NOT", "EXISTS"]) || tokens.hasWords(["OR", "REPLACE"], at: 1)
        case "DROP", "UNDROP": tokens.holds(["IF", "EXISTS"])
        case "ALTER": commands(of: tokens).allSatisfy(isRepeatableCommand)
        case "TRUNCATE", "OPTIMIZE", "SELECT", "SYSTEM", "GRANT", "REVOKE", "DELETE": true
        default: false
        }
    }

    /// The parts of an ALTER TABLE, split at its commas outside of parentheses.
    private static func commands(of tokens: [SQLTokens.Token]) -> [ArraySlice<SQLTokens.Token>] {
        // ALTER TABLE [db.]name [ON CLUSTER c] …: the first command's word is the first of these.
        let verbs: Set<String> = [
            "ADD", "DROP", "MODIFY", "RENAME", "CLEAR", "COMMENT", "MATERIALIZE", "UPDATE", "DELETE", "RESET", "REMOVE",
            "ATTACH", "DETACH", "FREEZE", "MOVE", "REPLACE", "ALTER", "FETCH",
        ]
        guard
            let start = tokens.indices.dropFirst(2).first(where: {
                tokens[$0].kind == .word && verbs.contains(tokens[$0].text) && tokens[$0 - 1].text != "."
            })
        else { return [] }
        return tokens[start...].split { $0.depth == 0 && $0.text == "," }
    }

    private static func isRepeatableCommand(_ command: ArraySlice<SQLTokens.Token>) -> Bool {
        let words = Array(command)
        switch words.first?.text {
        case "ADD": return words.holds(["IF", "NOT", "EXISTS"])
        case "DROP", "CLEAR", "RENAME", "COMMENT": return words.holds(["IF", "EXISTS"]) || words[0].text == "COMMENT"
        case "MODIFY", "RESET", "MATERIALIZE", "DELETE": return true
        // MODIFY SETTING a = 1, b = 2: what follows a comma there is no command.
        case .some: return words.count > 1 && words[1].text == "="
        case nil: return true
        }
    }
}
