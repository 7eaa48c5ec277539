/// A set of offsets as runs of neighbours, ascending and apart: what Postgres calls an `int8multirange`.
struct OffsetRuns: Equatable, Sendable {
    private(set) var runs: [ClosedRange<Int64>] = []

    init() {}

    /// - Parameter offsets: ascending; repetitions count once.
    init(ascending offsets: some Sequence<Int64>) {
        for offset in offsets { append(offset) }
    }

    var isEmpty: Bool { runs.isEmpty }
    /// How many offsets.
    var count: Int { runs.reduce(0) { $0 + $1.count } }

    /// - Precondition: not below any offset that is in it.
    mutating func append(_ offset: Int64) {
        guard let last = runs.last else { return runs.append(offset...offset) }
        if offset <= last.upperBound { return }
        if offset == last.upperBound + 1 {
            runs[runs.count - 1] = last.lowerBound...offset
        } else {
            runs.append(offset...offset)
        }
    }

    func contains(_ offset: Int64) -> Bool {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].upperBound < offset { low = middle + 1 } else { high = middle }
        }
        return low < runs.count && runs[low].contains(offset)
    }

    /// Postgres' text form: `{[1,5),[7,8)}`.
    var multirange: String {
        "{" + runs.map { "[\($0.lowerBound),\($0.upperBound + 1))" }.joined(separator: ",") + "}"
    }

    /// Reads that form as Postgres writes it: bounds that are numbers, the lower one in, the upper one out.
    init?(multirange text: String) {
        var bytes = text.utf8[...]
        guard bytes.popFirst() == UInt8(ascii: "{"), bytes.popLast() == UInt8(ascii: "}") else { return nil }
        while !bytes.isEmpty {
            if !runs.isEmpty, bytes.popFirst() != UInt8(ascii: ",") { return nil }
            guard bytes.popFirst() == UInt8(ascii: "["), let lower = Self.number(&bytes),
                bytes.popFirst() == UInt8(ascii: ","), let upper = Self.number(&bytes),
                bytes.popFirst() == UInt8(ascii: ")"), lower < upper, runs.last.map({ $0.upperBound < lower }) ?? true
            else { return nil }
            runs.append(lower...upper - 1)
        }
    }

    private static func number(_ bytes: inout Substring.UTF8View) -> Int64? {
        let digits = bytes.prefix { $0 >= 48 && $0 <= 57 }
        bytes = bytes.dropFirst(digits.count)
        return Int64(Substring(digits))
    }
}

/// One stored stretch of removed origins.
struct RemovedWindow: Equatable, Sendable {
    /// Offsets to a stored window: half of them apart is the worst case, and then its text has half a megabyte.
    static let width: Int64 = 65_536

    var first: Int64
    var last: Int64
    var rowCount: Int
    var runs: OffsetRuns

    /// Cuts ascending offsets, in which an offset may come several times (a row that is there twice), into windows.
    static func cut(ascending offsets: [Int64]) -> [RemovedWindow] {
        var windows: [RemovedWindow] = []
        for offset in offsets {
            if let last = windows.last, last.first / width == offset / width {
                windows[windows.count - 1].last = offset
                windows[windows.count - 1].rowCount += 1
                windows[windows.count - 1].runs.append(offset)
            } else {
                windows.append(
                    RemovedWindow(first: offset, last: offset, rowCount: 1, runs: OffsetRuns(ascending: [offset])))
            }
        }
        return windows
    }
}
