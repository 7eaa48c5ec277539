import Foundation
import RouterCore

/// `migrate new`: the next numbered file, with what its author should know in a comment.
public enum MigrationScaffold {
    /// Where the files of this project are, from its own folder.
    public static let defaultDirectory = "clickhouse/migrations"

    /// - Parameters:
    ///   - client: the file is for this client alone.
    /// - Returns: the path of the file.
    public static func make(name: String, directory: String?, client: ClientID?) throws -> String {
        let directory = directory ?? defaultDirectory
        guard FileManager.default.fileExists(atPath: directory) else {
            throw OperationError(
                "migrations_unreadable",
                "there is no folder \(directory); name the one of your migrations with --migrations")
        }
        let title = fileTitle(name)
        guard MigrationFiles.isName(title) else {
            throw OperationError(
                "migration_invalid", "'\(name)' makes no name of a file: it needs letters or digits, 100 at most")
        }
        let shared = try MigrationFiles(directory: directory).shared
        var folder = directory
        var next = (shared.last?.version ?? 1) + 1
        if let client {
            folder += "/clients/\(client)"
            let own = try MigrationFiles.read(folder, isOwn: true, mayBeMissing: true)
            next = max(MigrationFiles.firstOwnVersion, (own.last?.version ?? 0) + 1)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let path = "\(folder)/v\(next)_\(title).sql"
        do {
            try Data(text(next, title).utf8).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
        } catch {
            throw OperationError("migrations_unreadable", "\(path) cannot be written: \(error.localizedDescription)")
        }
        return path
    }

    static func fileTitle(_ name: String) -> String {
        let letters = name.lowercased().map { MigrationFiles.isName(String($0)) ? $0 : "_" }
        return String(letters).split(separator: "_").joined(separator: "_")
    }

    private static func text(_ version: Int, _ title: String) -> String {
        """
        -- Version \(version): \(title.replacing("_", with: " ")). Why it is needed:
        --
        -- {database} is the client's database, quoted. Several statements, a semicolon behind each; they are carried out in
        -- order, and a run that stops goes on at the statement where it stopped. So write each so that it may run twice (IF NOT EXISTS,
        -- IF EXISTS, OR REPLACE, MODIFY); one that may, though its words do not say so, has {mark} in its comment.
        -- Once applied anywhere the file must not change: `router migrate up` refuses it then. docs/MIGRATIONS.md tells more.

        """.replacing("{mark}", with: SchemaStatement.repeatableMark)
    }
}
