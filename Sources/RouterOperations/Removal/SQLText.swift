/// Values inside of SQL, where a parameter cannot go.
enum SQLText {
    /// In single quotes, with what would end them escaped, by ClickHouse's rules.
    static func literal(_ text: String) -> String {
        var quoted = "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "'"
    }
}
