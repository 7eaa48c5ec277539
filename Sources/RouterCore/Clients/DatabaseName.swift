/// What a client's database may be called. The constraint `clients_ch_database_name_check` in Postgres says the same of
/// its form, and of ClickHouse's own names.
public enum DatabaseName {
    /// As long as Postgres lets a name of its own be; ClickHouse makes directories and files of it, and takes more.
    public static let maxBytes = 63

    /// The server's own, `default`, and the router's: dropping a client drops its database.
    public static let reserved: Set<String> = [
        "system", "default", "information_schema", "_temporary_and_external_tables", WriteProbe.database,
    ]

    /// `client_` and the id with underscores: what a client gets when nothing else is asked for.
    public static func standard(for client: ClientID) -> String {
        "client_" + String(client.description.map { $0 == "-" ? "_" : $0 })
    }

    public static func isValid(_ name: String) -> Bool { (try? validate(name)) != nil }

    /// Throws why a name cannot be used. Letters, digits and underscores only: the name ends up in SQL, in shells, in
    /// paths and in other people's scripts, and one of them always forgets to quote.
    public static func validate(_ name: String) throws(DatabaseNameError) {
        let bytes = Array(name.utf8)
        guard let first = bytes.first else { throw .empty }
        guard bytes.count <= maxBytes else { throw .tooLong(bytes: bytes.count) }
        func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20 >= 97 && byte | 0x20 <= 122) || byte == 95 }
        guard isLetter(first) else { throw .badCharacter }
        guard bytes.allSatisfy({ isLetter($0) || ($0 >= 48 && $0 <= 57) }) else { throw .badCharacter }
        guard !reserved.contains(name.lowercased()) else { throw .reserved(name) }
    }
}

public enum DatabaseNameError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int)
    case badCharacter
    case reserved(String)

    public var description: String {
        switch self {
        case .empty: "a database needs a name"
        case .tooLong(let bytes):
            "a database's name has at most \(DatabaseName.maxBytes) bytes, this one has \(bytes)"
        case .badCharacter:
            "a database's name has letters, digits and underscores only, and starts with no digit"
        case .reserved(let name): "'\(name)' is ClickHouse's or the router's own database and cannot be a client's"
        }
    }
}
