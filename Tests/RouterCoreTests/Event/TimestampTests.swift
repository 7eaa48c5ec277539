import Testing

@testable import RouterCore

@Suite struct TimestampTests {
    private static func rfc3339(_ text: String) -> Int64? {
        Array(text.utf8).withUnsafeBytes { EventTimestamp.milliseconds(rfc3339: $0) }
    }

    private static func number(_ text: String) -> Int64? {
        Array(text.utf8).withUnsafeBytes { EventTimestamp.milliseconds(number: $0) }
    }

    /// The numbers were computed with GNU date and Python.
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.001Z", 1), ("1969-12-31T23:59:59.999Z", -1),
            ("2026-01-31T12:00:00Z", 1_769_860_800_000), ("2026-01-31t12:00:00z", 1_769_860_800_000),
            ("2026-01-31 12:00:00Z", 1_769_860_800_000), ("2026-01-31T13:00:00+01:00", 1_769_860_800_000),
            ("2026-01-31T06:30:00-05:30", 1_769_860_800_000), ("2026-01-31T12:00:00-00:00", 1_769_860_800_000),
            ("2026-02-01T11:59:00+23:59", 1_769_860_800_000), ("2026-01-30T12:01:00-23:59", 1_769_860_800_000),
            ("2026-01-31T12:00:00.1Z", 1_769_860_800_100), ("2026-01-31T12:00:00.12Z", 1_769_860_800_120),
            ("2026-01-31T12:00:00.123Z", 1_769_860_800_123),
            ("2026-01-31T12:00:00.1239999999999999999999Z", 1_769_860_800_123),
            ("2026-01-31T12:00:00.0009Z", 1_769_860_800_000), ("2026-01-31T12:00:00.999999+00:00", 1_769_860_800_999),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("2400-02-29T00:00:00Z", 13_574_563_200_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("0000-02-29T00:00:00Z", -62_162_121_600_000), ("0001-01-01T00:00:00Z", -62_135_596_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999), ("1990-12-31T23:59:60Z", 662_688_000_000),
            ("1990-12-31T15:59:60-08:00", 662_688_000_000), ("2016-12-31T23:59:60.750Z", 1_483_228_800_750),
            ("2017-01-01T05:29:60+05:30", 1_483_228_800_000), ("2015-06-30T23:59:60Z", 1_435_708_800_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130), ("1985-04-12T23:20:50.52Z", 482_196_050_520),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000),
        ] as [(String, Int64)])
    func rfc3339Times(_ text: String, _ milliseconds: Int64) {
        #expect(Self.rfc3339(text) == milliseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-01-31", "12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z", "2026-01-31T12:00:00.5", "2026-01-31T12:00:00+01", "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+1:00", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+01:60", "2026-01-31T12:00:00Z ",
        " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00ZZ", "2026-01-31T12:00:00Z+01:00", "2026-01-31T12:00:00+01:00Z",
        "2026-01-31T12:00:00 Z", "2026-01-31  12:00:00Z", "2026-01-31_12:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z", "2026-01-31T12:00:60Z", "2026-01-30T23:59:60Z", "2026-01-31T23:59:60+01:00",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z",
        "02026-01-31T12:00:00Z",
        "+2026-01-31T12:00:00Z", "-2026-01-31T12:00:00Z", "26-01-31T12:00:00Z", "2026-1-31T12:00:00Z",
        "20260131T120000Z",
        "2026-W05-6T12:00:00Z", "2026-031T12:00:00Z", "2026/01/31T12:00:00Z", "2026-01-31T12.00.00Z",
        "2026-01-31T12:00:00UTC",
        "2026-01-31T12:00:00.1.2Z", "2026-01-31T12:00:00.+5Z", "2026-01-31T12:00:00\u{2212}01:00",
        "２026-01-31T12:00:00Z", "now",
        "1769860800", "1769860800000000000000", "2026-01-31T12:00:00.123456789", "2026-01-31T12:00:00+",
        "2026-01-31T12:00:00+01:0",
        "2026-01-31\u{0}12:00:00Z", "2026-01-31T12:00:0\u{0}Z", "2026-01-31\u{4}12:00:00Z",
    ])
    func otherFormsAreRefused(_ text: String) {
        #expect(Self.rfc3339(text) == nil)
        guard !text.utf8.contains(where: { $0 < 0x20 }) else { return }
        #expect(TestRecord.event("\"timestamp\":\"\(text)\"").judged().reason == .invalidField)
    }

    @Test(arguments: ["true", "[]", "{}", #""\ud800""#])
    func otherTypesAreRefused(_ json: String) {
        #expect(TestRecord.event("\"timestamp\":\(json)").judged().reason == .invalidField)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.0", 0), ("0e99999999999999999999", 0), ("-0.000e-5", 0), ("1", 1000),
            ("1.5", 1500), ("-1.5", -1500),
            ("0.001", 1), ("0.0009", 0), ("-0.0009", 0), ("-0.0019", -1), ("1e0", 1000), ("1E3", 1_000_000),
            ("1.5e+1", 15_000), ("15e-1", 1500),
            ("1769860800", 1_769_860_800_000), ("1769860800.123", 1_769_860_800_123),
            ("1769860800.1239999999", 1_769_860_800_123),
            ("1769860800.9999999999999999999999999", 1_769_860_800_999), ("1769860800000", 1_769_860_800_000),
            ("1769860800000.999", 1_769_860_800_000), ("1.7698608e9", 1_769_860_800_000),
            ("1.7698608e12", 1_769_860_800_000),
            ("17698608000000e-4", 1_769_860_800_000), ("0.00000000000000000000017698608e31", 1_769_860_800_000),
            // The boundary between seconds and milliseconds, where a Double would round across it.
            ("99999999999", 99_999_999_999_000), ("99999999999.999", 99_999_999_999_999),
            ("99999999999.99999999999999999999999999", 99_999_999_999_999), ("100000000000", 100_000_000_000),
            ("100000000000.0", 100_000_000_000), ("1e11", 100_000_000_000), ("1E+11", 100_000_000_000),
            ("0.1e12", 100_000_000_000),
            ("999999999999999999999e-10", 99_999_999_999_999), ("1000000000000000000000e-10", 100_000_000_000),
            ("-100000000000", -100_000_000_000_000), ("-1e11", -100_000_000_000_000),
            ("9007199254740993", 9_007_199_254_740_993),
            ("999999999999999999", 999_999_999_999_999_999), ("1e-400", 0), ("1e-99999999999999999999999", 0),
            ("-999999999999999", -999_999_999_999_999_000),
        ] as [(String, Int64)])
    func numbers(_ text: String, _ milliseconds: Int64) {
        #expect(Self.number(text) == milliseconds)
    }

    @Test(arguments: [
        "1000000000000000000", "1e18", "-1e15", "1e400", "-1e400", "1e99999999999999999999999999",
        "123456789012345678901234567890",
        "-1000000000000000", "0.000001e400",
    ])
    func numbersBeyondEveryRange(_ text: String) {
        #expect(Self.number(text) == nil)
        #expect(TestRecord.event("\"timestamp\":\(text)").judged().reason == .timestampOutOfRange)
        #expect(
            TestRecord.event("\"timestamp\":\(text)").with { $0.timestampMilliseconds = .max }.judged().reason
                == .timestampOutOfRange)
    }

    @Test func longNumbers() {
        let zeros = String(repeating: "0", count: 100_000)
        #expect(Self.number("1769860800.5" + zeros + "1") == 1_769_860_800_500)
        #expect(Self.number("0." + zeros + "17698608e100010") == 1_769_860_800_000)
        #expect(Self.number("17698608" + zeros + "e-99998") == 1_769_860_800_000)
        #expect(Self.number("1" + zeros) == nil)
    }

    // MARK: The range

    @Test func rangeAroundTheRecord() {
        let day: Int64 = 86_400_000
        let record = TestRecord.timestamp
        // 2021-01-31T12:00:00Z, five years earlier by the calendar.
        let earliest: Int64 = 1_612_094_400_000
        for (milliseconds, isAccepted) in [
            (earliest, true), (earliest - 1, false), (record + day, true), (record + day + 1, false), (record, true),
            (record - 5 * 365 * day, true), (record - 5 * 365 * day - 1, true),
        ] {
            let verdict = TestRecord.event("\"timestamp\":\(milliseconds)").judged()
            #expect(verdict.event?.timestampMilliseconds == (isAccepted ? milliseconds : nil))
            if !isAccepted { #expect(verdict.reason == .timestampOutOfRange) }
        }
        #expect(TestRecord.event(#""timestamp":"2021-01-31T12:00:00Z""#).judged().event != nil)
        #expect(TestRecord.event(#""timestamp":"2021-01-31T11:59:59.999Z""#).judged().reason == .timestampOutOfRange)
        #expect(TestRecord.event(#""timestamp":"2026-02-01T12:00:00.000Z""#).judged().event != nil)
        #expect(TestRecord.event(#""timestamp":"2026-02-01T12:00:00.001Z""#).judged().reason == .timestampOutOfRange)
    }

    /// Five years before 29 February is 28 February, and spans with one leap day and with two are both five years.
    @Test(arguments: [
        ("2024-02-29T10:00:00Z", "2019-02-28T10:00:00Z"), ("2028-02-29T00:00:00Z", "2023-02-28T00:00:00Z"),
        ("2025-03-01T00:00:00Z", "2020-03-01T00:00:00Z"), ("2025-02-28T23:59:59.999Z", "2020-02-28T23:59:59.999Z"),
        ("2029-01-01T00:00:00Z", "2024-01-01T00:00:00Z"), ("1972-06-01T00:00:00Z", "1967-06-01T00:00:00Z"),
        ("2103-03-01T00:00:00Z", "2098-03-01T00:00:00Z"), ("0003-01-01T00:00:00Z", nil),
    ])
    func fiveYearsByTheCalendar(_ record: String, _ earliest: String?) throws {
        let milliseconds = try #require(Self.rfc3339(record) as Int64?)
        let range = TimestampRange(recordMilliseconds: milliseconds)
        let expected = earliest.flatMap { Self.rfc3339($0) } ?? -62_230_291_200_000
        #expect(range.contains(expected))
        #expect(!range.contains(expected - 1))
    }

    @Test func withoutARecordTimestamp() {
        func verdict(_ timestamp: String) -> Verdict {
            TestRecord.event("\"timestamp\":\(timestamp)").with { $0.timestampMilliseconds = nil }.judged()
        }
        #expect(verdict(#""2000-01-01T00:00:00Z""#).event?.timestampMilliseconds == 946_684_800_000)
        #expect(verdict(#""1999-12-31T23:59:59.999Z""#).reason == .timestampOutOfRange)
        #expect(verdict(#""2100-12-31T23:59:59.999Z""#).event?.timestampMilliseconds == 4_133_980_799_999)
        #expect(verdict(#""2101-01-01T00:00:00Z""#).reason == .timestampOutOfRange)
        #expect(verdict("null").reason == .missingField)
        #expect(TestRecord.event().with { $0.timestampMilliseconds = nil }.judged().reason == .missingField)
    }

    /// Kafka takes any number for a record's timestamp; none may trap.
    @Test(arguments: [Int64.min, .min + 1, -1, 0, 1, .max - 1, .max, 253_402_300_800_000, -62_167_219_200_001])
    func extremeRecordTimestamps(_ record: Int64) {
        let range = TimestampRange(recordMilliseconds: record)
        #expect(range.contains(record))
        for other in [Int64.min, .max, 0, TestRecord.timestamp]
        where other.subtractingReportingOverflow(record).overflow {
            #expect(!range.contains(other))
        }
        let verdict = TestRecord.event().with { $0.timestampMilliseconds = record }.judged()
        if TimestampRange.isStorable(record) {
            #expect(verdict.event?.timestampMilliseconds == record)
        } else {
            #expect(verdict.reason == .timestampOutOfRange)
        }
        _ = TestRecord.event("\"timestamp\":0").with { $0.timestampMilliseconds = record }.judged()
    }

    /// DateTime64(3) holds 1900 to 2299. A record's own time beyond it has no place in `received_at`, whatever the event
    /// says; an event's time beyond it has none in `event_timestamp`, although the record's is near.
    @Test func nothingThatTheColumnsCannotHold() throws {
        let first = try #require(Self.rfc3339("1900-01-01T00:00:00Z") as Int64?)
        let last = try #require(Self.rfc3339("2299-12-31T23:59:59.999Z") as Int64?)
        for (record, own, isAccepted) in [
            (first, nil, true), (first - 1, nil, false), (last, nil, true), (last + 1, nil, false),
            (1_769_860_800_000_000, nil, false), (1_769_860_800_000_000, "2026-01-31T12:00:00Z", false),
            (last + 1, "2299-12-31T23:59:59.999Z", false), (last, "2299-12-31T23:59:59.999Z", true),
            (last, "2300-01-01T00:00:00Z", false), (first, "1899-12-31T23:59:59.999Z", false),
            (first, "1900-01-01T00:00:00Z", true), (first - 1, "1900-01-01T00:00:00Z", false),
        ] as [(Int64, String?, Bool)] {
            let event = own.map { TestRecord.event("\"timestamp\":\"\($0)\"") } ?? TestRecord.event()
            let verdict = event.with { $0.timestampMilliseconds = record }.judged()
            #expect(verdict.reason == (isAccepted ? nil : .timestampOutOfRange), "\(record) \(own ?? "")")
        }
        let detail = try #require(TestRecord.event().with { $0.timestampMilliseconds = last + 1 }.judged().detail)
        #expect(detail.contains("record's own timestamp") && detail.contains("1900 to 2299"))
    }

    // MARK: The calendar

    /// Day by day from year 0 to 3000, against rules counted out one by one.
    @Test func calendarDayByDay() {
        var (year, month, day) = (Int64(0), Int64(1), Int64(1))
        var days: Int64 = -719_528
        while year <= 3000 {
            let date = CalendarDate.date(daysSince1970: days)
            guard CalendarDate.daysSince1970(year: year, month: month, day: day) == days, date == (year, month, day)
            else {
                Issue.record("\(year)-\(month)-\(day) is not day \(days)")
                return
            }
            days += 1
            day += 1
            let isLeap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
            let length: Int64 = month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
            if day > length { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }
}
