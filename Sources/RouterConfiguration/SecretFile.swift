import Foundation

/// Reads a secret from the file that `NAME_FILE` names.
enum SecretFile {
    /// Passwords and keys are short; a limit keeps a wrong path (a device, a dump) from filling the memory.
    static let maxBytes = 64 * 1024

    struct Failure: Error {
        var explanation: String
    }

    /// The file's text without one trailing line end, which editors and `echo` add.
    static func read(_ path: String) throws(Failure) -> String {
        var isFolder: ObjCBool = false
        guard !path.contains("\0"), FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw Failure(explanation: "there is no file at that path")
        }
        guard !isFolder.boolValue else { throw Failure(explanation: "that path is a folder, not a file") }
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw Failure(explanation: "this process may not read that file")
        }
        defer { try? handle.close() }
        let data: Data
        do {
            data = try handle.read(upToCount: maxBytes + 1) ?? Data()
        } catch {
            throw Failure(explanation: "that file could not be read: \(error.localizedDescription)")
        }
        guard data.count <= maxBytes else {
            throw Failure(explanation: "that file is longer than \(maxBytes) bytes, too long for a secret")
        }
        guard var text = String(data: data, encoding: .utf8) else {
            throw Failure(explanation: "that file is not valid UTF-8")
        }
        // Swift reads CR LF as one character.
        if text.last == "\n" || text.last == "\r\n" { text.removeLast() }
        guard !text.isEmpty else { throw Failure(explanation: "that file is empty") }
        return text
    }
}
