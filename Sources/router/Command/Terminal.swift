import Foundation
import RouterConfiguration
import RouterOperations

/// Standard output and standard error, as a person or a script sees them.
enum Terminal {
    static let isOutputTerminal = isatty(STDOUT_FILENO) == 1
    static let isInputTerminal = isatty(STDIN_FILENO) == 1
    static let isErrorTerminal = isatty(STDERR_FILENO) == 1

    private static let allowsColours: Bool = {
        let environment = ProcessInfo.processInfo.environment
        return (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }()

    enum Style: String {
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case faint = "2"
    }

    /// The text in a colour, where standard output is a terminal and nothing forbids it.
    static func styled(_ text: String, _ style: Style) -> String {
        isOutputTerminal && allowsColours ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    static func printError(_ text: String) { writeError(text + "\n") }

    static func printLines(_ lines: [String]) {
        StandardOutput.write(lines.map { $0 + "\n" }.joined())
    }

    /// A screen that replaces the one before it, on a terminal. Each line is wiped to its end, so that nothing flickers.
    static func redraw(_ lines: [String]) {
        StandardOutput.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }

    /// Labels and values, one a line, the values below each other.
    static func printFields(_ fields: [(String, String)], toStandardError: Bool = false) {
        let width = fields.map(\.0.count).max() ?? 0
        let lines = fields.map { label, value in
            label.isEmpty && value.isEmpty
                ? "" : label + String(repeating: " ", count: width - label.count) + "  " + TextTable.printable(value)
        }
        if toStandardError { printError(lines.joined(separator: "\n")) } else { printLines(lines) }
    }

    /// A question, on standard error: the answer comes behind it.
    static func prompt(_ text: String) { writeError(text) }

    static func print(_ table: TextTable) { printLines(table.lines { styled($0, .bold) }) }

    static func printJSON(_ value: some Encodable) throws {
        StandardOutput.write(try JSONDocument.text(value, isForPerson: isOutputTerminal) + "\n")
    }

    /// Asks on standard error; anything but a yes is a no.
    static func confirm(_ question: String) -> Bool {
        writeError(question + " [y/N] ")
        let answer = (readLine() ?? "").lowercased()
        return answer == "y" || answer == "yes"
    }

    /// Progress, on a terminal only: the line is written over by the next one. Empty to wipe it.
    static func progress(_ text: String) {
        guard isErrorTerminal, ProcessInfo.processInfo.environment["TERM"] != "dumb" else { return }
        writeError("\r\u{1B}[K" + text)
    }

    /// What standard error does not take is dropped: there is no better place to complain.
    private static func writeError(_ text: String) { StandardStream.write(text, to: STDERR_FILENO) }
}
