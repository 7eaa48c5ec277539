/// The little that has to be understood of a ClickHouse statement: its words, where they are, and how deep in parentheses.
/// The statement has been through `SchemaFile`, so quotes and comments end.
struct SQLTokens {
    struct Token: Equatable {
        enum Kind { case word, quoted, number, symbol }
        var kind: Kind
        /// Words in upper case, everything else as it stands.
        var text: String
        /// Where it stands in the statement's UTF-8.
        var range: Range<Int>
        /// How many parentheses are open around it; one that opens or closes counts as outside of itself.
        var depth: Int
    }

    private(set) var tokens: [Token] = []
    /// The text of the comments, one behind the other.
    private(set) var comments = ""

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    init(_ sql: String) {
        bytes = Array(sql.utf8)
        while position < bytes.count { step() }
    }

    private func starts(_ mark: String) -> Bool { bytes[position...].starts(with: mark.utf8) }

    private static func isWord(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || byte == 95 || byte >= 128
    }

    private mutating func step() {
        let start = position
        switch bytes[position] {
        case 9, 10, 13, 32: position += 1
        case UInt8(ascii: "-") where starts("--"), UInt8(ascii: "#") where starts("# ") || starts("#!"):
            comment(to: bytes[position...].firstIndex(of: 10) ?? bytes.count)
        case UInt8(ascii: "/") where starts("/*"): comment(to: end(of: "*/", from: position + 2))
        case let quote where quote == 39 || quote == 34 || quote == 96: quoted(quote)
        case UInt8(ascii: "$"): heredocOrSymbol()
        case UInt8(ascii: "("):
            add(.symbol, start..<start + 1)
            depth += 1
        case UInt8(ascii: ")"):
            depth = max(0, depth - 1)
            add(.symbol, start..<start + 1)
        case let byte where Self.isWord(byte):
            let end = bytes[position...].firstIndex { !Self.isWord($0) } ?? bytes.count
            add(byte >= 48 && byte <= 57 ? .number : .word, start..<end)
        default: add(.symbol, start..<start + 1)
        }
    }

    private mutating func add(_ kind: Token.Kind, _ range: Range<Int>) {
        let text = String(decoding: bytes[range], as: UTF8.self)
        tokens.append(Token(kind: kind, text: kind == .word ? text.uppercased() : text, range: range, depth: depth))
        position = range.upperBound
    }

    private mutating func comment(to end: Int) {
        comments += String(decoding: bytes[position..<end], as: UTF8.self) + "\n"
        position = end
    }

    private func end(of mark: String, from start: Int) -> Int {
        var index = start
        while index + mark.utf8.count <= bytes.count {
            if bytes[index...].starts(with: mark.utf8) { return index + mark.utf8.count }
            index += 1
        }
        return bytes.count
    }

    private mutating func quoted(_ quote: UInt8) {
        var end = position + 1
        while end < bytes.count {
            if bytes[end] == UInt8(ascii: "\\") {
                end += 2
            } else if bytes[end] != quote {
                end += 1
            } else if end + 1 < bytes.count, bytes[end + 1] == quote {
                end += 2
            } else {
                break
            }
        }
        add(.quoted, position..<min(end + 1, bytes.count))
    }

    private mutating func heredocOrSymbol() {
        let tagEnd = bytes[(position + 1)...].firstIndex { !Self.isWord($0) } ?? bytes.count
        guard tagEnd < bytes.count, bytes[tagEnd] == UInt8(ascii: "$") else {
            return add(.symbol, position..<position + 1)
        }
        let mark = String(decoding: bytes[position...tagEnd], as: UTF8.self)
        add(.quoted, position..<end(of: mark, from: tagEnd + 1))
    }
}

extension [SQLTokens.Token] {
    /// True when the words stand here, one behind the other.
    func hasWords(_ words: [String], at index: Int) -> Bool {
        guard index + words.count <= count else { return false }
        return zip(self[index...], words).allSatisfy { $0.kind == .word && $0.text == $1 }
    }

    /// The words stand somewhere outside of parentheses.
    func holds(_ words: [String]) -> Bool {
        indices.contains { self[$0].depth == 0 && hasWords(words, at: $0) }
    }
}
