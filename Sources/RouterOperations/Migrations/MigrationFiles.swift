import Foundation
import RouterCore

/// The migrations that there are: those that the program carries, or the files of a folder, and each client's own.
struct MigrationFiles: Sendable {
    /// The files that the program carries, in their order: a name each, as the compiler makes one of each file.
    static let shipped = [
        SchemaVersion(
            version: 2, name: "event_fields_and_daily",
            text: String(decoding: PackageResources.v2_event_fields_and_daily_sql, as: UTF8.self))
    ]

    /// Version 1, the base schema: always the program's own, as the router's inserts rely on it.
    static let base = SchemaVersion(
        version: 1, name: "events_base", text: String(decoding: PackageResources._1_events_base_sql, as: UTF8.self))

    /// Far above any real file, and small enough for ClickHouse's own limit of a query's text.
    static let maxFileBytes = 4 * 1024 * 1024
    /// A number beyond is a mistyped date or the like.
    static let maxVersion = 99_999
    /// Where `new` begins the numbers of a client's own files, so that a shared one never meets them.
    static let firstOwnVersion = 1001

    /// From 2, without gaps.
    private(set) var shared: [SchemaVersion]
    private let directory: String?

    /// - Parameter directory: a folder as `clickhouse/migrations`; nil is what the program carries.
    init(directory: String?) throws {
        self.directory = directory
        guard let directory else {
            shared = Self.shipped
            return
        }
        shared = try Self.read(directory, isOwn: false)
        for (index, file) in shared.enumerated() where file.version != index + 2 {
            throw OperationError(
                "migration_invalid",
                "\(directory) holds \(file.fileName), but no v\(index + 2)_….sql: the numbers begin at 2 and have no gaps"
            )
        }
    }

    /// Every version of one client in the order of their numbers, the base first.
    func versions(of client: ClientID) throws -> [SchemaVersion] {
        let own = try directory.map { try Self.read("\($0)/clients/\(client)", isOwn: true, mayBeMissing: true) } ?? []
        let all = ([Self.base] + shared + own).sorted { $0.version < $1.version }
        for (one, next) in zip(all, all.dropFirst()) where one.version == next.version {
            throw OperationError(
                "migration_invalid",
                "version \(one.version) is there twice for client \(client): \(one.fileName) and \(next.fileName); give the "
                    + "client's own another number, from \(Self.firstOwnVersion) on")
        }
        return all
    }

    /// Refuses a `--target` that no file has: it would be "everything", which nobody who names a version means.
    func requireVersion(_ target: Int?, of clients: [ClientID]) throws {
        guard let target, target > 1, !shared.contains(where: { $0.version == target }) else { return }
        // A fault in one client's own files is that client's, and is said where its plan is made.
        let isOwn = clients.contains { client in
            (try? versions(of: client))?.contains { $0.version == target } ?? false
        }
        guard !isOwn else { return }
        let newest = shared.last?.version ?? Self.base.version
        let place = directory.map { "in \($0)" } ?? "in this program; --migrations names a folder of others"
        throw OperationError(
            "migration_version_unknown",
            "--target \(target): there is no version \(target) \(place), the newest for every client is \(newest); "
                + "nothing was changed")
    }

    // MARK: Reading

    static func read(_ directory: String, isOwn: Bool, mayBeMissing: Bool = false) throws -> [SchemaVersion] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            if mayBeMissing, !FileManager.default.fileExists(atPath: directory) { return [] }
            throw OperationError(
                "migrations_unreadable", "the folder \(directory) cannot be read: \(error.localizedDescription)")
        }
        var versions: [SchemaVersion] = []
        for name in names.sorted() where name.hasSuffix(".sql") {
            guard let (version, title) = parse(fileName: name) else {
                throw OperationError(
                    "migration_invalid",
                    "\(directory)/\(name) is not named vN_name.sql, with a number from 2 to \(maxVersion) and a name of "
                        + "small letters, digits and underscores")
            }
            let text = try text(of: "\(directory)/\(name)")
            versions.append(SchemaVersion(version: version, name: title, text: text, isOwn: isOwn))
        }
        versions.sort { $0.version < $1.version }
        for (one, next) in zip(versions, versions.dropFirst()) where one.version == next.version {
            throw OperationError(
                "migration_invalid",
                "\(directory) has two files of version \(one.version): \(one.fileName) and \(next.fileName)")
        }
        return versions
    }

    private static func text(of path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw OperationError("migrations_unreadable", "\(path) cannot be read")
        }
        guard data.count <= maxFileBytes else {
            throw OperationError(
                "migration_invalid", "\(path) has \(data.count) bytes; at most \(maxFileBytes) are taken")
        }
        guard let text = String(validating: data, as: UTF8.self), !text.utf8.contains(0) else {
            throw OperationError("migration_invalid", "\(path) is not UTF-8 text")
        }
        return text
    }

    static func parse(fileName: String) -> (version: Int, name: String)? {
        guard fileName.hasPrefix("v"), fileName.hasSuffix(".sql") else { return nil }
        let parts = fileName.dropFirst().dropLast(4).split(
            separator: "_", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, isName(parts[1]), let first = parts[0].first, first != "0",
            parts[0].allSatisfy({ $0.isASCII && $0.isNumber }), let version = Int(parts[0]),
            (2...maxVersion).contains(version)
        else { return nil }
        return (version, String(parts[1]))
    }

    static func isName(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.utf8.allSatisfy { ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 95 }
    }
}
