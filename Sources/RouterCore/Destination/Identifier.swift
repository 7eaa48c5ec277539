/// Names of databases, tables and columns inside SQL.
public enum Identifier {
    /// In back quotes, with what would end them escaped: safe for any text, valid or not.
    public static func quoted(_ name: String) -> String {
        var quoted = "`"
        for scalar in name.unicodeScalars {
            if scalar == "`" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "`"
    }
}
