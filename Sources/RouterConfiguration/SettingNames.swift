/// The names a YAML file may have, and the nearest of them to one that it may not.
enum SettingNames {
    static let all: Set<String> = Set(
        SettingName.allCases.flatMap { $0.isSecret ? [$0.rawValue, $0.fileName] : [$0.rawValue] })

    /// The known name that takes the fewest edits, when they are few enough for a typing error.
    static func nearest(to name: String) -> String? { Spelling.nearest(to: name.uppercased(), among: all) }

    static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int { Spelling.edits(a, b) }
}

/// What a name was probably meant to be.
public enum Spelling {
    /// Longer names are not compared: the time grows with the product of the lengths.
    private static let maxComparedBytes = 100

    /// The known name that takes the fewest edits, when they are few enough for a typing error.
    public static func nearest(to name: String, among known: some Sequence<String>) -> String? {
        let given = Array(name.utf8)
        guard given.count <= maxComparedBytes else { return nil }
        let limit = max(2, given.count / 4)
        return known.map { (name: $0, edits: edits(given, Array($0.utf8))) }
            .filter { $0.edits <= limit }
            .min { ($0.edits, $0.name) < ($1.edits, $1.name) }?.name
    }

    /// The Levenshtein distance.
    static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var previous = Array(0...b.count)
        for (row, byte) in a.enumerated() {
            var current = [row + 1]
            current.reserveCapacity(b.count + 1)
            for (column, other) in b.enumerated() {
                let substituted = previous[column] + (byte == other ? 0 : 1)
                current.append(min(substituted, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[b.count]
    }
}
