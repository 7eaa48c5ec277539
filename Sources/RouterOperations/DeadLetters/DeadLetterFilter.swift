import Foundation
import RouterCore

/// Which dead letters a command is about. What is not given does not narrow.
public struct DeadLetterFilter: Sendable {
    public var reasons: Set<DeadLetterReason> = []
    /// Matches the verified client; where no key was verified, the one that the record names.
    public var clients: Set<ClientID> = []
    /// When it failed (`router.failed_at`): from this millisecond since 1970 on …
    public var sinceMilliseconds: Int64?
    /// … and before this one.
    public var untilMilliseconds: Int64?
    /// Of the origin, here and below.
    public var partitions: Set<Int32> = []
    public var offsets: ClosedRange<Int64>?
    /// Of the value; all of them have to hold.
    public var conditions: [JSONCondition] = []

    public init() {}

    /// A moment as an operator types it: RFC 3339, a date (its first moment, UTC), or how long ago: `90s`, `15m`, `2h`, `7d`.
    public static func milliseconds(_ text: String, nowMilliseconds: Int64) -> Int64? {
        var text = text
        if let last = text.last, let unit = ["s": 1, "m": 60, "h": 3600, "d": 86_400][String(last)],
            let count = Int64(text.dropLast()), (0...10_000_000).contains(count)
        {
            return nowMilliseconds - count * Int64(unit) * 1000
        }
        if text.utf8.count == 10 { text += "T00:00:00Z" }
        return text.withUTF8 { RFC3339.milliseconds(UnsafeRawBufferPointer($0)) }
    }

    /// `17`, or `17-25` with both ends.
    public static func offsets(_ text: String) -> ClosedRange<Int64>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
        guard let first = ends.first, let low = first, low >= 0, ends.count <= 2 else { return nil }
        guard ends.count == 2 else { return low...low }
        guard let high = ends[1], high >= low else { return nil }
        return low...high
    }

    /// What the headers alone decide.
    func matches(_ origin: DeadLetterOrigin, failedAtMilliseconds: Int64) -> Bool {
        if !reasons.isEmpty {
            let all = DeadLetterReason.allCases
            guard Int(origin.reason) < all.count, reasons.contains(all[Int(origin.reason)]) else { return false }
        }
        if !partitions.isEmpty, !partitions.contains(origin.partition) { return false }
        if let offsets, !offsets.contains(origin.offset) { return false }
        if let sinceMilliseconds, failedAtMilliseconds < sinceMilliseconds { return false }
        if let untilMilliseconds, failedAtMilliseconds >= untilMilliseconds { return false }
        return true
    }

    func matches(_ value: UnsafeRawBufferPointer?) -> Bool {
        conditions.allSatisfy { condition in value.map { condition.holds($0) } ?? false }
    }

    /// For the record of a run: what was asked for.
    var document: [String: [String]] {
        var document: [String: [String]] = [:]
        if !reasons.isEmpty { document["reason"] = reasons.map(\.rawValue).sorted() }
        if !clients.isEmpty { document["client"] = clients.map(\.description).sorted() }
        if let sinceMilliseconds { document["since"] = [TimeText.rfc3339(milliseconds: sinceMilliseconds) ?? ""] }
        if let untilMilliseconds { document["until"] = [TimeText.rfc3339(milliseconds: untilMilliseconds) ?? ""] }
        if !partitions.isEmpty { document["partition"] = partitions.sorted().map(String.init) }
        if let offsets { document["offset"] = ["\(offsets.lowerBound)-\(offsets.upperBound)"] }
        // The paths and not the values: those may be anybody's.
        if !conditions.isEmpty { document["where"] = ["\(conditions.count) conditions"] }
        return document
    }
}
