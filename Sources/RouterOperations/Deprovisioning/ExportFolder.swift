import Foundation
import RouterCore

#if canImport(Glibc)
    import Glibc
#endif

/// The folder of one export. Files appear in it under their name only when they are whole and on the disk.
struct ExportFolder {
    let path: String

    /// Makes the folder, readable by its owner alone: it holds what users did.
    /// - Throws: when it holds files that no export has made.
    init(_ path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw OperationError("export_failed", "the folder \(path) cannot be made: \(error.localizedDescription)")
        }
        let foreign = try FileManager.default.contentsOfDirectory(atPath: path).filter { !Self.isOurs($0) }.sorted()
        if let first = foreign.first {
            throw OperationError(
                "export_folder_taken",
                "the folder \(path) holds \(first), which no export has written; name an empty folder, or none that is there"
            )
        }
    }

    private static func isOurs(_ name: String) -> Bool {
        name.hasPrefix(ExportManifest.fileName) || name.hasPrefix("events_base-")
    }

    /// What an earlier export left, whole or not.
    func clear() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path) where Self.isOurs(name) {
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }
    }

    /// - Returns: the SHA-256, in hex, of what a second reading found on the disk.
    func write(_ bytes: [UInt8], as name: String) throws -> String {
        let target = path + "/" + name
        let partial = target + ".part"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot be opened", partial) }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written", partial) }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw failure("cannot be written to the disk", partial) }
        guard rename(partial, target) == 0 else { throw failure("cannot be renamed", partial) }
        let expected = Self.sha256(bytes)
        guard try sha256(of: name) == expected else {
            throw OperationError(
                "export_damaged", "\(target) does not hold what was written to it; see the disk. Nothing was dropped")
        }
        return expected
    }

    func read(_ name: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
        } catch {
            throw OperationError("export_failed", "\(path)/\(name) cannot be read: \(error.localizedDescription)")
        }
    }

    func sha256(of name: String) throws -> String { Self.sha256(try read(name)) }

    /// The manifest of an export that is whole and undamaged; nil when there is none.
    func manifest() -> ExportManifest? {
        guard let bytes = try? read(ExportManifest.fileName),
            let manifest = try? JSONDecoder().decode(ExportManifest.self, from: Data(bytes))
        else { return nil }
        for file in manifest.files {
            guard !file.name.contains("/"), (try? sha256(of: file.name)) == file.sha256 else { return nil }
        }
        return manifest
    }

    private static func sha256(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { KeyHash.sha256(of: $0).hex }
    }

    private func failure(_ what: String, _ file: String) -> OperationError {
        let reason = String(cString: strerror(errno))
        return OperationError("export_failed", "\(file) \(what): \(reason). Nothing was dropped; run the command again")
    }
}
