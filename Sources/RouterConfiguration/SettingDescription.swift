/// What a person needs to know of one setting. `README.md` and `router --help` are generated from the table of them.
public struct SettingDescription: Sendable {
    public var name: SettingName
    /// The default as it would be written in the environment; nil when there is none.
    var defaultText: String?
    /// The default in words, where it depends on another setting.
    var defaultInWords: String?
    public var meaning: String
    var rule: SettingRule

    init(
        _ name: SettingName, default defaultText: String?, inWords: String? = nil, _ rule: SettingRule,
        _ meaning: String
    ) {
        self.name = name
        self.defaultText = defaultText
        self.defaultInWords = inWords
        self.rule = rule
        self.meaning = meaning
    }

    public var isSecret: Bool { name.isSecret }
    /// What the value may be, as the end of a sentence.
    public var allowed: String { rule.allowed }
    /// The default as it is shown to a person; nil when there is none.
    public var shownDefault: String? { defaultInWords ?? defaultText }

    static func of(_ name: SettingName) -> SettingDescription? {
        all.first { $0.name == name }
    }

    /// A name that nobody typed cannot be misspelt.
    public static func isDefault(_ value: String, of name: SettingName) -> Bool { of(name)?.defaultText == value }

    /// The table in README.md, in Markdown.
    public static func markdownTable() -> String {
        var lines = ["| name | default | meaning |", "|---|---|---|"]
        for setting in all {
            let shownDefault = setting.shownDefault.map { setting.defaultInWords == nil ? "`\($0)`" : $0 } ?? ""
            let file = setting.isSecret ? " Secret: can come from a file, `\(setting.name.fileName)`." : ""
            lines.append("| `\(setting.name.rawValue)` | \(shownDefault) | \(setting.meaning)\(file) |")
        }
        lines.append(
            "| `KAFKA_CONFIG_<NAME>` | | Any librdkafka property: `KAFKA_CONFIG_FETCH_MIN_BYTES=1000` sets "
                + "`fetch.min.bytes`. Refused, because delivery depends on them: "
                + KafkaProperties.reserved.keys.sorted().map { "`\($0)`" }.joined(separator: ", ") + ". |")
        return lines.joined(separator: "\n")
    }

    /// The table for a terminal: two lines a setting, the second indented.
    public static func plainTable() -> String {
        var lines: [String] = []
        for setting in all {
            let shownDefault = setting.shownDefault.map { " (default: \($0))" } ?? ""
            lines.append("  \(setting.name.rawValue)\(shownDefault)")
            lines.append("      \(setting.meaning)")
            lines.append("      Allowed: \(setting.allowed).")
        }
        lines.append("  KAFKA_CONFIG_<NAME>")
        lines.append("      Any librdkafka property, dots written as underscores.")
        return lines.joined(separator: "\n")
    }
}
