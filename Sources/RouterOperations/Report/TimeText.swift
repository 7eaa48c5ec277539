import Foundation

/// Times as commands print them.
enum TimeText {
    /// Beyond it a time is "never", which is what Postgres' `infinity` comes as.
    private static let endOfYear9999Milliseconds: Int64 = 253_402_300_799_999

    /// RFC 3339 in UTC with milliseconds; nil for a time after the year 9999.
    static func rfc3339(milliseconds: Int64) -> String? {
        guard (0...endOfYear9999Milliseconds).contains(milliseconds) else { return nil }
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        return date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
