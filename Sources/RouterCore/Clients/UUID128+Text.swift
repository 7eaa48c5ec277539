extension UUID128 {
    /// Length of the text form in bytes: 32 digits and four hyphens.
    public static let textBytes = 36

    /// Parses the hyphenated form 8-4-4-4-12 in either case; nil for any other form (no braces, no `urn:uuid:`, no
    /// white space). Every value is a UUID, whatever its version says.
    public init?(text: UnsafeRawBufferPointer) {
        guard text.count == Self.textBytes,
            text[8] == 0x2D, text[13] == 0x2D, text[18] == 0x2D, text[23] == 0x2D
        else { return nil }
        let middleHigh = HexDigits.four(text, at: 9) | HexDigits.four(text, at: 14) << 32
        let middleLow = HexDigits.four(text, at: 19) | HexDigits.four(text, at: 24) << 32
        guard let high = HexDigits.number(HexDigits.eight(text, at: 0), middleHigh),
            let low = HexDigits.number(middleLow, HexDigits.eight(text, at: 28))
        else { return nil }
        self.init(high: high, low: low)
    }

    /// Parses the hyphenated form 8-4-4-4-12 in either case.
    public init?(_ string: String) {
        var string = string
        let parsed = string.withUTF8 { UUID128(text: UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// A version 4 (random) UUID from the system's cryptographic source.
    public static func random() -> UUID128 {
        var generator = SystemRandomNumberGenerator()
        return UUID128(high: generator.next(), low: generator.next()).marked(version: 4)
    }

    /// The same number with the version's and RFC 9562's variant bits set.
    func marked(version: UInt64) -> UUID128 {
        UUID128(
            high: high & 0xFFFF_FFFF_FFFF_0FFF | (version & 0x0F) << 12,
            low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}

extension UUID128: CustomStringConvertible {
    /// The hyphenated form in lower case.
    public var description: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        HexDigits.append(high, to: &digits)
        HexDigits.append(low, to: &digits)
        var text: [UInt8] = []
        text.reserveCapacity(Self.textBytes)
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append(0x2D) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
