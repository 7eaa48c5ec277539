extension EventTimestamp {
    /// Below this a number counts seconds (until the year 5138), from it on milliseconds (since 1973): 10 to this power.
    private static let secondsBelowPowerOfTen = 11

    /// More digits than this lie outside every range that is accepted, and would not fit an Int64.
    private static let maxIntegerDigits = 18

    /// Milliseconds since 1970 of a JSON number in decimal, exact whatever its length: it never becomes a Double.
    ///
    /// A number below 10¹¹, so every negative one, is in seconds, any other in milliseconds. What is finer than a
    /// millisecond is cut (towards zero). nil stands for a number that is further away than any range reaches.
    ///
    /// - Parameter text: a number that `JSONScanner` has accepted.
    static func milliseconds(number text: UnsafeRawBufferPointer) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        let decimal = Decimal(text)
        guard decimal.digitCount > 0 else { return 0 }
        // The number is 0.ddd × 10^point with a first digit that is not 0, so it is below 10^11 where point is up to 11.
        let isSeconds = isNegative || decimal.point <= secondsBelowPowerOfTen
        let integerDigits = isSeconds ? decimal.point + 3 : decimal.point
        guard integerDigits > 0 else { return 0 }
        guard integerDigits <= maxIntegerDigits else { return nil }
        var milliseconds = decimal.leading
        var digits = decimal.digitCount
        while digits < integerDigits {
            milliseconds *= 10
            digits += 1
        }
        while digits > integerDigits {
            milliseconds /= 10
            digits -= 1
        }
        return isNegative ? -milliseconds : milliseconds
    }

    /// A JSON number as 0.ddd × 10^point.
    private struct Decimal {
        /// The first digits from the first that is not 0, `maxIntegerDigits` at most: the rest would be cut anyway.
        var leading: Int64 = 0
        var digitCount = 0
        var point = 0

        init(_ text: UnsafeRawBufferPointer) {
            var index = text.first == UInt8(ascii: "-") ? 1 : 0
            var isFraction = false
            while index < text.count {
                let digit = text[index] &- 0x30
                if digit < 10 {
                    // Zeros before the first digit only move the point; digits beyond the last that counts only count.
                    if digitCount > 0 || digit > 0 {
                        if digitCount < maxIntegerDigits {
                            leading = leading * 10 + Int64(digit)
                            digitCount += 1
                        }
                        if !isFraction { point += 1 }
                    } else if isFraction {
                        point -= 1
                    }
                } else if text[index] == UInt8(ascii: ".") {
                    isFraction = true
                } else {
                    break
                }
                index += 1
            }
            if index < text.count { point += Self.exponent(text, from: index + 1) }
        }

        /// The exponent that starts at `first`. It stops growing far beyond what the digits of any record can outweigh.
        private static func exponent(_ text: UnsafeRawBufferPointer, from first: Int) -> Int {
            var index = first
            let isNegative = index < text.count && text[index] == UInt8(ascii: "-")
            var exponent = 0
            while index < text.count {
                let digit = text[index] &- 0x30
                if digit < 10, exponent < 1_000_000_000_000 { exponent = exponent * 10 + Int(digit) }
                index += 1
            }
            return isNegative ? -exponent : exponent
        }
    }
}
