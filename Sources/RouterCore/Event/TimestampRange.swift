/// How far an event's time may be from its record's: five years before, a day after, both ends included.
///
/// It is judged against the record and not against the clock, so that a redo or a replay judges alike.
struct TimestampRange {
    private static let maxYearsBefore: Int64 = 5

    /// Five years have at least this many days, so what is younger needs no calendar.
    private static let daysAlwaysWithin: Int64 = 5 * 365

    /// For a record without a timestamp: from the start of 2000 to the end of 2100, UTC.
    private static let withoutRecordTimestamp: ClosedRange<Int64> = 946_684_800_000...4_133_980_799_999

    /// What a DateTime64(3) column holds: 1900-01-01 to the end of 2299, UTC. ClickHouse stores a number beyond it without
    /// a word, shows another date for it, and files the row under a month that has nothing to do with it.
    private static let storable: ClosedRange<Int64> = -2_208_988_800_000...10_413_791_999_999

    /// Whether the table's columns can hold this time.
    static func isStorable(_ milliseconds: Int64) -> Bool { storable.contains(milliseconds) }

    let recordMilliseconds: Int64?

    /// The record's own time becomes `received_at`, and stands for a missing `timestamp`.
    var isRecordStorable: Bool { recordMilliseconds.map { Self.isStorable($0) } ?? true }

    /// No arithmetic here may overflow: Kafka takes any 64-bit number for a timestamp.
    func contains(_ milliseconds: Int64) -> Bool {
        guard let record = recordMilliseconds else { return Self.withoutRecordTimestamp.contains(milliseconds) }
        let (age, overflow) = record.subtractingReportingOverflow(milliseconds)
        guard !overflow, age >= -CalendarDate.millisecondsPerDay else { return false }
        if age <= Self.daysAlwaysWithin * CalendarDate.millisecondsPerDay { return true }
        return milliseconds >= Self.fiveYearsBefore(record)
    }

    /// The same date and time of day (UTC) five years earlier; 28 February for 29 February.
    private static func fiveYearsBefore(_ milliseconds: Int64) -> Int64 {
        let days = CalendarDate.floorDivide(milliseconds, CalendarDate.millisecondsPerDay)
        let timeOfDay = milliseconds - days * CalendarDate.millisecondsPerDay
        let (year, month, day) = CalendarDate.date(daysSince1970: days)
        let earlier = year - maxYearsBefore
        let earlierDays = CalendarDate.daysSince1970(
            year: earlier, month: month, day: min(day, CalendarDate.days(inMonth: month, of: earlier)))
        let (start, overflow) = earlierDays.multipliedReportingOverflow(by: CalendarDate.millisecondsPerDay)
        return overflow ? .min : start.addingReportingOverflow(timeOfDay).partialValue
    }
}
