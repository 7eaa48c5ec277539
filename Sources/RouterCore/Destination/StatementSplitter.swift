/// Finds the semicolons that end statements, by ClickHouse's own rules for quotes and comments.
struct StatementSplitter {
    let text: [UInt8]
    let placeholders: [String: String]

    private var position = 0
    private var line = 1
    private var current: [UInt8] = []
    /// The line of the statement's first token; nil while there were only blanks and comments.
    private var startLine: Int?
    private var statements: [SchemaFile.Statement] = []

    init(text: [UInt8], placeholders: [String: String]) {
        self.text = text
        self.placeholders = placeholders
    }

    mutating func split() throws(SchemaFileError) -> [SchemaFile.Statement] {
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: ";"):
                position += 1
                endStatement()
            case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"): try copyQuoted(text[position])
            case UInt8(ascii: "-") where starts("--"): copyLine()
            case UInt8(ascii: "#") where starts("# ") || starts("#!"): copyLine()
            case UInt8(ascii: "/") where starts("/*"): try copy(upTo: "*/", skipping: 2, what: "a comment")
            case UInt8(ascii: "$"): try copyHeredocOrByte()
            case UInt8(ascii: "{"): try copyBraced()
            default: copyByte()
            }
        }
        endStatement()
        return statements
    }

    // MARK: Pieces

    private func starts(_ word: String) -> Bool { text[position...].starts(with: word.utf8) }

    private mutating func endStatement() {
        defer {
            current = []
            startLine = nil
        }
        guard let startLine else { return }
        let blanks: Set<UInt8> = [9, 10, 13, 32]
        var bytes = current[...]
        while let last = bytes.last, blanks.contains(last) { bytes.removeLast() }
        while let first = bytes.first, blanks.contains(first) { bytes.removeFirst() }
        statements.append(SchemaFile.Statement(sql: String(decoding: bytes, as: UTF8.self), line: startLine))
    }

    /// Copies a byte that is part of a statement, unless it is blank.
    private mutating func copyByte() {
        let byte = text[position]
        if byte == 10 {
            line += 1
        } else if startLine == nil, byte != 32, byte != 9, byte != 13 {
            startLine = line
        }
        current.append(byte)
        position += 1
    }

    private mutating func copyComment(_ count: Int) {
        for byte in text[position..<position + count] {
            if byte == 10 { line += 1 }
            current.append(byte)
        }
        position += count
    }

    private mutating func copyLine() {
        let end = text[position...].firstIndex(of: 10) ?? text.count
        copyComment(end - position)
    }

    /// Copies what ends with `mark`; the search starts `skipping` bytes on.
    private mutating func copy(upTo mark: String, skipping: Int, what: String) throws(SchemaFileError) {
        guard let end = find(Array(mark.utf8), from: position + skipping) else {
            throw .unfinished(what: what, line: line)
        }
        copyComment(end + mark.utf8.count - position)
    }

    private func find(_ mark: [UInt8], from start: Int) -> Int? {
        var index = start
        while index + mark.count <= text.count {
            if text[index...].starts(with: mark) { return index }
            index += 1
        }
        return nil
    }

    /// A backslash escapes the next byte; a doubled quote is a quote.
    private mutating func copyQuoted(_ quote: UInt8) throws(SchemaFileError) {
        let start = line
        copyByte()
        while position < text.count {
            if text[position] == UInt8(ascii: "\\"), position + 1 < text.count {
                copyByte()
                copyByte()
            } else if text[position] == quote {
                copyByte()
                guard position < text.count, text[position] == quote else { return }
                copyByte()
            } else {
                copyByte()
            }
        }
        throw .unfinished(what: "a quoted text", line: start)
    }

    /// `$tag$ … $tag$`, anything between.
    private mutating func copyHeredocOrByte() throws(SchemaFileError) {
        let tag = text[(position + 1)...].prefix { isWord($0) }
        let tagEnd = position + 1 + tag.count
        guard tagEnd < text.count, text[tagEnd] == UInt8(ascii: "$") else { return copyByte() }
        let mark = Array(text[position...tagEnd])
        if startLine == nil { startLine = line }
        try copy(upTo: String(decoding: mark, as: UTF8.self), skipping: mark.count, what: "a heredoc")
    }

    private mutating func copyBraced() throws(SchemaFileError) {
        let name = text[(position + 1)...].prefix { isWord($0) }
        let end = position + 1 + name.count
        guard !name.isEmpty, end < text.count, text[end] == UInt8(ascii: "}") else { return copyByte() }
        let word = String(decoding: name, as: UTF8.self)
        guard let replacement = placeholders[word] else { throw .unknownPlaceholder(name: word, line: line) }
        if startLine == nil { startLine = line }
        current += Array(replacement.utf8)
        position = end + 1
    }

    private func isWord(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || byte == 95
    }
}
