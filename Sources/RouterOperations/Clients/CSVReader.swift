/// CSV as RFC 4180 has it: commas, double quotes around what holds commas, quotes or line ends, quotes doubled inside.
struct CSVReader {
    struct Row: Equatable {
        /// Where it starts in the file, from 1.
        var line: Int
        var fields: [String]
    }

    struct Fault: Error, Equatable {
        var line: Int
        var text: String
    }

    /// Lines without anything are left out.
    static func read(_ text: String) throws(Fault) -> [Row] {
        var rows: [Row] = []
        var reader = CSVReader(text)
        while let row = try reader.next() {
            if row.fields != [""] { rows.append(row) }
        }
        return rows
    }

    private var rest: Substring.UnicodeScalarView
    private var line = 1

    private init(_ text: String) {
        rest = Substring(text).unicodeScalars
        // What spreadsheets put at the start of UTF-8.
        if rest.first == "\u{FEFF}" { rest.removeFirst() }
    }

    private mutating func next() throws(Fault) -> Row? {
        guard !rest.isEmpty else { return nil }
        var row = Row(line: line, fields: [])
        while true {
            row.fields.append(try field())
            guard let end = rest.popFirst() else { return row }
            if end == "," { continue }
            if end == "\r", rest.first == "\n" { rest.removeFirst() }
            line += 1
            return row
        }
    }

    /// Up to a comma, a line end or the end, which stay.
    private mutating func field() throws(Fault) -> String {
        guard rest.first == "\"" else {
            let plain = rest.prefix { $0 != "," && $0 != "\n" && $0 != "\r" }
            guard !plain.contains("\"") else {
                throw Fault(line: line, text: "a quote in a field that has none around it")
            }
            rest = rest.dropFirst(plain.count)
            return String(plain)
        }
        let start = line
        rest.removeFirst()
        var text = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            if scalar == "\n" { line += 1 }
            guard scalar == "\"" else {
                text.append(scalar)
                continue
            }
            if rest.first == "\"" {
                rest.removeFirst()
                text.append(scalar)
            } else if rest.isEmpty || rest.first == "," || rest.first == "\n" || rest.first == "\r" {
                return String(text)
            } else {
                throw Fault(line: line, text: "something other than a comma behind a closing quote")
            }
        }
        throw Fault(line: start, text: "a quote is opened here and not closed")
    }
}
