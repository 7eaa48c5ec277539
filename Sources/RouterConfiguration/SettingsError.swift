/// One setting that is wrong: which, what it was, where it came from, and what would be right.
public struct SettingsProblem: Sendable, Equatable {
    /// The setting's name as the user wrote it, or the file's path when the file itself is the problem.
    public var name: String
    /// The value given; nil for secrets, whose values are never shown, and where there is none.
    public var value: String?
    /// Where the value came from: `environment`, or the configuration file's path; nil for a default.
    public var source: String?
    /// What is wrong or what is allowed, as the end of a sentence.
    public var explanation: String

    /// Longer values are cut: a whole certificate pasted into a port must not fill the screen.
    static let maxShownCharacters = 80

    var line: String {
        var line = name
        if let value { line += " is \(Self.shown(value))" }
        if let source { line += " (\(source))" }
        return "\(line): \(explanation)"
    }

    /// In quotes, with control characters made visible.
    private static func shown(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars.prefix(maxShownCharacters) {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                text += scalar.escaped(asASCII: true)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + (value.unicodeScalars.count > maxShownCharacters ? "…\"" : "\"")
    }
}

/// Every wrong setting in one error, so that a person corrects them in one go. It is never retried: the same settings
/// are wrong again. The command ends with status 64.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    public static let code = "settings_invalid"
    public static let isRetriable = false

    public var problems: [SettingsProblem]

    public var description: String {
        let count = problems.count == 1 ? "1 setting is wrong" : "\(problems.count) settings are wrong"
        return "\(count); nothing was started:\n"
            + problems.map { "  \($0.line)" }.joined(separator: "\n")
            + "\n`router --help` and the README list every setting."
    }
}
