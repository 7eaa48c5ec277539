/// A table for a person: columns as wide as their widest cell, a heading, two spaces between, no frame.
public struct TextTable: Sendable {
    public enum Alignment: Sendable { case left, right }

    public struct Column: Sendable {
        public var title: String
        public var alignment: Alignment
        /// Longer cells are cut in the middle, where ids and database names are alike least often at their ends.
        public var maxWidth: Int

        public init(_ title: String, _ alignment: Alignment = .left, maxWidth: Int = 40) {
            self.title = title
            self.alignment = alignment
            self.maxWidth = max(1, maxWidth)
        }
    }

    /// What fits on a terminal without wrapping: where the cells are longer together, the widest are cut.
    public static let maxWidth = 100
    private static let gap = "  "

    public var columns: [Column]
    private var rows: [[String]] = []

    public init(_ columns: [Column]) { self.columns = columns }

    public var isEmpty: Bool { rows.isEmpty }

    /// Cells that are missing are empty, cells beyond the columns are left out.
    public mutating func add(_ cells: [String]) {
        rows.append(
            columns.indices.map { index in
                index < cells.count ? Self.cut(Self.printable(cells[index]), columns[index].maxWidth) : ""
            })
    }

    /// The lines, the heading first, no trailing blanks.
    public func lines(heading: (String) -> String = { $0 }) -> [String] {
        let widths = fitted(
            columns.indices.map { index in rows.reduce(columns[index].title.count) { max($0, $1[index].count) } })
        func line(_ cells: [String]) -> String {
            let padded = cells.indices.map { index in
                let cell = Self.cut(cells[index], widths[index])
                let blanks = String(repeating: " ", count: widths[index] - cell.count)
                return columns[index].alignment == .left ? cell + blanks : blanks + cell
            }
            var text = padded.joined(separator: Self.gap)
            while text.last == " " { text.removeLast() }
            return text
        }
        return [heading(line(columns.map(\.title)))] + rows.map(line)
    }

    /// The widths, made smaller until a line fits: text gives way before numbers, the widest column first.
    private func fitted(_ widths: [Int]) -> [Int] {
        var widths = widths
        var excess = widths.reduce(0, +) + Self.gap.count * max(0, widths.count - 1) - Self.maxWidth
        while excess > 0 {
            let text = widths.indices.filter { columns[$0].alignment == .left && widths[$0] > Self.leastTextWidth }
            let any = widths.indices.filter { widths[$0] > 1 }
            guard let widest = (text.isEmpty ? any : text).max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    /// A cut cell has to be told from its neighbours.
    private static let leastTextWidth = 8

    /// A server's words on one line, nothing in them obeyed by a terminal.
    public static func oneLine(_ text: String) -> String {
        printable(text.split(whereSeparator: \.isNewline).joined(separator: " "))
    }

    /// A name may hold what steers a terminal; it is shown and not obeyed.
    public static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if isControl(scalar) {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }

    /// Control characters, and those that turn the direction of writing.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
            || scalar.properties.generalCategory == .lineSeparator
            || scalar.properties.generalCategory == .paragraphSeparator
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        guard text.count > width else { return text }
        guard width > 2 else { return String(text.prefix(width)) }
        let head = (width - 1) / 2
        return text.prefix(head) + "…" + text.suffix(width - 1 - head)
    }
}

extension BinaryInteger {
    /// With a comma between groups of three digits: `1,234,567`.
    public var grouped: String {
        let digits = String(magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return self < 0 ? "-" + text : text
    }
}
