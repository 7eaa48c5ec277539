import RouterCore

/// One file of `postgres/sql/`, carried inside of the program so that it works from any folder.
public struct DatabaseVersion: Sendable, Equatable {
    /// The number at the start of the file's name.
    public var version: Int
    /// The rest of the file's name.
    public var name: String
    public var text: String

    /// - Parameter fileName: such as `01_clients`.
    init(_ fileName: String, _ bytes: [UInt8]) {
        let parts = fileName.split(separator: "_", maxSplits: 1)
        version = parts.first.flatMap { Int($0) } ?? 0
        name = parts.count > 1 ? String(parts[1]) : fileName
        text = String(decoding: bytes, as: UTF8.self)
    }

    public var fileName: String { "\(version < 10 ? "0" : "")\(version)_\(name).sql" }

    /// SHA-256 of the file in hex, as `router_schema` keeps it.
    public var checksum: String { KeyHash.sha256(of: text).hex }

    /// The tables that the file makes: whether they are there tells of a file that was applied by hand.
    public var tables: [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let start = "CREATE TABLE IF NOT EXISTS public."
            guard line.hasPrefix(start) else { return nil }
            return String(line.dropFirst(start.count).prefix { $0.isLetter || $0.isNumber || $0 == "_" })
        }
    }
}

/// Every file in its order. A new one gets a line here (a test compares the list with the folder); each is safe to
/// apply again, and is not changed any more once it has been applied anywhere.
public enum DatabaseVersions {
    public static let all = [
        DatabaseVersion("01_clients", PackageResources._1_clients_sql),
        DatabaseVersion("02_schema_versions", PackageResources._2_schema_versions_sql),
        DatabaseVersion("03_partition_progress", PackageResources._3_partition_progress_sql),
        DatabaseVersion("04_offset_acceptances", PackageResources._4_offset_acceptances_sql),
        DatabaseVersion("05_schema_progress", PackageResources._5_schema_progress_sql),
        DatabaseVersion("06_schema_repairs", PackageResources._6_schema_repairs_sql),
        DatabaseVersion("07_replay", PackageResources._7_replay_sql),
        DatabaseVersion("08_dead_letter_discards", PackageResources._8_dead_letter_discards_sql),
        DatabaseVersion("09_removals", PackageResources._9_removals_sql),
        DatabaseVersion("10_client_retention", PackageResources._0_client_retention_sql),
        DatabaseVersion("11_pauses", PackageResources._1_pauses_sql),
        record,
    ]

    /// The file that makes the table in which the others are written down.
    public static let record = DatabaseVersion("12_router_schema", PackageResources._2_router_schema_sql)

    /// The channel on which a change of `pauses` is told.
    public static let pausesChannel = "router_pauses"
}
