import Foundation

/// In which form events are exported.
public enum ExportFormat: String, Encodable, Sendable, CaseIterable {
    /// For every other tool; compressed.
    case parquet
    /// ClickHouse's own: read back as it was.
    case native

    var clickHouseName: String {
        switch self {
        case .parquet: "Parquet"
        case .native: "Native"
        }
    }
}

/// What an export holds: written last, as `manifest.json`, so that an export without one is not whole.
public struct ExportManifest: Codable, Sendable, Equatable {
    struct File: Codable, Sendable, Equatable {
        var name: String
        var topic: String
        var partition: Int
        var rows: Int
        var firstOffset: Int64
        var lastOffset: Int64
        var bytes: Int
        var sha256: String

        enum CodingKeys: String, CodingKey {
            case name, topic, partition, rows, bytes, sha256
            case firstOffset = "first_offset"
            case lastOffset = "last_offset"
        }
    }

    static let fileName = "manifest.json"

    var clientID: String
    var clientName: String
    var databaseName: String
    var format: String
    /// RFC 3339, UTC.
    var exportedAt: String
    /// The statement that made the table.
    var createTable: String
    var rows: Int
    var oldestEvent: String?
    var newestEvent: String?
    var files: [File] = []

    enum CodingKeys: String, CodingKey {
        case clientID = "client_id"
        case clientName = "client_name"
        case databaseName = "ch_database_name"
        case format, rows, files
        case exportedAt = "exported_at"
        case createTable = "create_table"
        case oldestEvent = "oldest_event"
        case newestEvent = "newest_event"
    }

    /// What a command says of it.
    public struct Summary: Encodable, Sendable {
        public var directory: String
        public var format: String
        public var files: Int
        public var rows: Int
        public var bytes: Int
    }

    func summary(_ directory: String) -> Summary {
        Summary(
            directory: directory, format: format, files: files.count, rows: rows,
            bytes: files.reduce(0) { $0 + $1.bytes })
    }
}
