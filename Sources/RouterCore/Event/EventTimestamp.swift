/// The two forms in which an event tells its time, both to milliseconds since 1970, UTC.
enum EventTimestamp {
    /// Parses RFC 3339's `date-time`: `2026-01-31T23:59:59.123456+01:00`; nil for any other form.
    ///
    /// - `T` and `Z` may be lower case, and a space may stand for `T`, as section 5.6 permits.
    /// - The zone is required; `-00:00` (offset unknown) counts as UTC.
    /// - Further fraction digits are cut, not rounded: a time never moves into the next day.
    /// - The second 60 is read where a leap second can be, at 23:59 UTC on the last day of a month, and is the same instant
    ///   as the second after it, since neither Kafka nor ClickHouse counts leap seconds.
    static func milliseconds(rfc3339 text: UnsafeRawBufferPointer) -> Int64? {
        // The shortest form: 2026-01-31T23:59:59Z.
        guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] | 0x20 == UInt8(ascii: "t") || text[10] == UInt8(ascii: " "),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let century = twoDigits(text, 0), let yearOfCentury = twoDigits(text, 2),
            let month = twoDigits(text, 5), 1...12 ~= month,
            let day = twoDigits(text, 8), day >= 1,
            let hour = twoDigits(text, 11), hour <= 23,
            let minute = twoDigits(text, 14), minute <= 59,
            let second = twoDigits(text, 17), second <= 60
        else { return nil }
        let year = century * 100 + yearOfCentury
        guard day <= CalendarDate.days(inMonth: month, of: year) else { return nil }

        var index = 19
        guard let fraction = fractionMilliseconds(text, &index), let offsetMinutes = zone(text, index) else {
            return nil
        }
        let days = CalendarDate.daysSince1970(year: year, month: month, day: day)
        let utcMinutes = days * 1440 + hour * 60 + minute - offsetMinutes
        if second == 60, !endsMonth(utcMinutes) { return nil }
        return (utcMinutes * 60 + second) * 1000 + fraction
    }

    /// Reads `.` and digits at `index`, and moves it behind them; 0 without them, nil where no digit follows the point.
    @inline(__always)
    private static func fractionMilliseconds(_ text: UnsafeRawBufferPointer, _ index: inout Int) -> Int64? {
        guard text[index] == UInt8(ascii: ".") else { return 0 }
        index += 1
        let first = index
        var milliseconds: Int64 = 0
        while index < text.count, text[index] &- 0x30 < 10 {
            if index - first < 3 { milliseconds = milliseconds * 10 + Int64(text[index] &- 0x30) }
            index += 1
        }
        switch index - first {
        case 0: return nil
        case 1: return milliseconds * 100
        case 2: return milliseconds * 10
        default: return milliseconds
        }
    }

    /// The zone's offset from UTC in minutes, when it is all that is left of the text.
    @inline(__always)
    private static func zone(_ text: UnsafeRawBufferPointer, _ index: Int) -> Int64? {
        guard index < text.count else { return nil }
        let sign = text[index]
        if sign | 0x20 == UInt8(ascii: "z") { return index + 1 == text.count ? 0 : nil }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), text.count == index + 6,
            text[index + 3] == UInt8(ascii: ":"),
            let hours = twoDigits(text, index + 1), hours <= 23,
            let minutes = twoDigits(text, index + 4), minutes <= 59
        else { return nil }
        let offset = hours * 60 + minutes
        return sign == UInt8(ascii: "-") ? -offset : offset
    }

    private static func endsMonth(_ utcMinutes: Int64) -> Bool {
        let nextDay = CalendarDate.date(daysSince1970: CalendarDate.floorDivide(utcMinutes + 1, 1440))
        return (utcMinutes + 1) % 1440 == 0 && nextDay.day == 1
    }

    @inline(__always)
    private static func twoDigits(_ text: UnsafeRawBufferPointer, _ index: Int) -> Int64? {
        let tens = text[index] &- 0x30
        let ones = text[index + 1] &- 0x30
        guard tens < 10, ones < 10 else { return nil }
        return Int64(tens) * 10 + Int64(ones)
    }
}
