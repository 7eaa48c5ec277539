import Foundation

/// What `--json` prints: one document, keys in a fixed order so that two runs can be compared.
public enum JSONDocument {
    public static func text(_ value: some Encodable, isForPerson: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isForPerson { encoder.outputFormatting.insert(.prettyPrinted) }
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
