/// The names that a client's ClickHouse database may have: those that need no quotes. The constraint
/// `clients_ch_database_name_check` in Postgres says the same.
public enum DatabaseName {
    public static let maximumBytes = 63
    /// ClickHouse's own; a client in one of them would break the server or share a space with other users.
    private static let reserved: Set<String> = ["system", "default", "information_schema"]

    /// `client_` and the id with underscores for hyphens.
    public static func byDefault(for id: ClientID) -> String {
        "client_" + String(id.description.map { $0 == "-" ? "_" : $0 })
    }

    public static func isValid(_ name: String) -> Bool {
        guard (1...maximumBytes).contains(name.utf8.count), !reserved.contains(name.lowercased()) else { return false }
        return name.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): index > 0
            default: false
            }
        }
    }
}
