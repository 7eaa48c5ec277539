/// Sentences beside a fixed column, within a terminal's width.
public enum TextWrap {
    /// The text in lines of at most `TextTable.maxWidth` characters: the first after `first`, which takes `indent`
    /// characters as a terminal shows it, the others indented so far. A word longer than a line is cut into several.
    public static func lines(_ text: String, first: String, indent: Int) -> [String] {
        let width = max(1, TextTable.maxWidth - indent)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            var word = word
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            while word.count > width {
                if !line.isEmpty {
                    lines.append(line)
                    line = ""
                }
                lines.append(String(word.prefix(width)))
                word = word.dropFirst(width)
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        let blanks = String(repeating: " ", count: indent)
        return lines.enumerated().map { index, line in (index == 0 ? first : blanks) + line }
    }
}
