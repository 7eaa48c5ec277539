import Foundation
import Logging

/// A log record with its metadata flattened into names and texts, ready to be written in either format.
struct LogLine {
    var level: Logger.Level
    var logger: String
    var message: String
    /// Sorted by name; nested dictionaries as `outer.inner`, arrays as `name.0`, `name.1`.
    var fields: [(name: String, value: String)]

    /// A log record is for reading; what is longer is cut and says so.
    static let maxTextBytes = 8192
    /// A record with more fields is a data dump; the rest is counted in the field `dropped_fields`.
    static let maxFields = 100
    /// Metadata nested deeper is written as one text.
    static let maxDepth = 4

    init(level: Logger.Level, logger: String, message: String, error: (any Error)?, metadata: Logger.Metadata) {
        self.level = level
        self.logger = logger
        self.message = Self.cut(message)
        fields = []
        var dropped = 0
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            Self.flatten(name, value, depth: 1, into: &fields, dropped: &dropped)
        }
        if let error { fields.append(("error", Self.cut("\(error)"))) }
        if dropped > 0 { fields.append(("dropped_fields", String(dropped))) }
    }

    private static func flatten(
        _ name: String, _ value: Logger.MetadataValue, depth: Int, into fields: inout [(name: String, value: String)],
        dropped: inout Int
    ) {
        switch value {
        case .dictionary(let inner) where depth < maxDepth:
            for (key, value) in inner.sorted(by: { $0.key < $1.key }) {
                flatten("\(name).\(key)", value, depth: depth + 1, into: &fields, dropped: &dropped)
            }
        case .array(let inner) where depth < maxDepth:
            for (index, value) in inner.enumerated() {
                flatten("\(name).\(index)", value, depth: depth + 1, into: &fields, dropped: &dropped)
            }
        default:
            guard fields.count < maxFields else {
                dropped += 1
                return
            }
            fields.append((cut(name), cut("\(value)")))
        }
    }

    static func cut(_ text: String) -> String {
        guard text.utf8.count > maxTextBytes else { return text }
        // Back to the start of a character, so that none is cut in two.
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: maxTextBytes)
        while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
            end = text.utf8.index(before: end)
        }
        return text[..<end] + "… (cut, \(text.utf8.count) bytes)"
    }
}
