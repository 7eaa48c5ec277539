import RouterCore

/// Why a statement cannot be made one for a cluster.
struct ClusterSQLError: Error, CustomStringConvertible {
    var description: String
}

/// Turns a statement for one server into one for a cluster: `ON CLUSTER` behind the object's name, Replicated engines, and
/// their settings. So the files say what a table is, and not where; a statement that says `ON CLUSTER` itself is left alone.
///
/// It is for one shard with replicas: the router writes to one server, and a client's rows are all on that server's shard.
enum ClusterSQL {
    /// `{uuid}` makes the path unique for each table that ever was, `{shard}` and `{replica}` are the server's macros.
    static let replicationPath = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"
    /// Replicated tables forget tokens after an hour by default: less than a router may be away.
    static let deduplicationSeconds = 604_800

    /// - Parameter cluster: its name, as in `system.clusters`.
    static func statement(_ sql: String, cluster: String) throws(ClusterSQLError) -> String {
        let tokens = SQLTokens(sql).tokens
        guard !tokens.holds(["ON", "CLUSTER"]), let first = tokens.first?.text else { return sql }
        // Read and written on one server; replication carries it to the others.
        if ["INSERT", "SELECT", "WITH"].contains(first) { return sql }
        guard ["CREATE", "ALTER", "DROP", "TRUNCATE", "OPTIMIZE"].contains(first), let name = nameEnd(tokens) else {
            throw ClusterSQLError(
                description: "for a cluster this statement (\(first) …) has to say ON CLUSTER itself, "
                    + "as it is not known where the words go in it")
        }
        var edits: [(Range<Int>, String)] = [(name..<name, " ON CLUSTER \(Identifier.quoted(cluster))")]
        edits += engineEdits(tokens)
        var bytes = Array(sql.utf8)
        for (range, text) in edits.sorted(by: { $0.0.lowerBound > $1.0.lowerBound }) {
            bytes.replaceSubrange(range, with: text.utf8)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Where the object's name ends: behind DATABASE, TABLE, VIEW …, IF [NOT] EXISTS and `a.b`.
    private static func nameEnd(_ tokens: [SQLTokens.Token]) -> Int? {
        let kinds: Set<String> = ["DATABASE", "TABLE", "VIEW", "DICTIONARY", "FUNCTION", "USER", "ROLE"]
        guard var index = tokens.firstIndex(where: { $0.kind == .word && kinds.contains($0.text) }) else { return nil }
        index += 1
        for words in [["IF", "NOT", "EXISTS"], ["IF", "EXISTS"]] where tokens.hasWords(words, at: index) {
            index += words.count
            break
        }
        guard index < tokens.count, tokens[index].kind == .word || tokens[index].kind == .quoted else { return nil }
        if index + 2 < tokens.count, tokens[index + 1].text == "." { index += 2 }
        return tokens[index].range.upperBound
    }

    private static func engineEdits(_ tokens: [SQLTokens.Token]) -> [(Range<Int>, String)] {
        var edits: [(Range<Int>, String)] = []
        for index in tokens.indices where tokens[index].depth == 0 && tokens[index].kind == .word {
            let token = tokens[index]
            let isEngine = index > 1 && tokens[index - 1].text == "=" && tokens[index - 2].text == "ENGINE"
            if isEngine, token.text.hasSuffix("MERGETREE"), !token.text.hasPrefix("REPLICATED") {
                edits.append((token.range.lowerBound..<token.range.lowerBound, "Replicated"))
                edits.append(arguments(tokens, after: index))
            }
            if token.text == "NON_REPLICATED_DEDUPLICATION_WINDOW" {
                edits.append((token.range, "replicated_deduplication_window"))
                if index + 2 < tokens.count {
                    let end = tokens[index + 2].range.upperBound
                    edits.append((end..<end, ", replicated_deduplication_window_seconds = \(deduplicationSeconds)"))
                }
            }
        }
        return edits
    }

    /// The path and the replica come before the engine's own arguments.
    private static func arguments(_ tokens: [SQLTokens.Token], after index: Int) -> (Range<Int>, String) {
        let next = index + 1
        guard next < tokens.count, tokens[next].text == "(" else {
            let end = tokens[index].range.upperBound
            return (end..<end, "(\(replicationPath))")
        }
        let start = tokens[next].range.upperBound
        let isEmpty = next + 1 < tokens.count && tokens[next + 1].text == ")"
        return (start..<start, replicationPath + (isEmpty ? "" : ", "))
    }
}
