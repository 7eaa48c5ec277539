import ArgumentParser

/// A length of time as it is typed: `90s`, `15m`, `24h`, `7d`, `0`.
enum DurationArgument {
    static func milliseconds(_ text: String) throws -> Int64 {
        if text == "0" { return 0 }
        let units: [Character: Int64] = ["s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let unit = text.last.flatMap({ units[$0] }), text.dropLast().utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
            let number = Int64(text.dropLast()), !number.multipliedReportingOverflow(by: unit).overflow
        else {
            throw ValidationError("'\(text)' is not a length of time, such as 90s, 15m, 24h, 7d or 0")
        }
        return number * unit
    }
}
