import Foundation

enum Timestamp {
    /// `2026-11-21T10:41:00.123Z` of milliseconds since 1970.
    static func rfc3339(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
            .formatted(
                .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
    }
}
