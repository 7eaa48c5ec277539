/// Hex digits to bytes and back, eight digits at a time: a client id, a key hash and an event id are 128 digits of
/// every event.
enum HexDigits {
    /// The 32-bit number that eight ASCII hex digits spell, either case, or nil where one of them is not a hex digit.
    ///
    /// - Parameter digits: the eight characters, the first (most significant) one in the lowest byte.
    @inline(__always)
    static func number(_ digits: UInt64) -> UInt32? {
        // Only bytes below 0x80 go on: the additions then carry nothing from one byte into the next.
        guard digits & (0x80 &* ones) == 0 else { return nil }
        let lowercase = digits | (0x20 &* ones)
        // Adding 0x80 - n sets a byte's high bit exactly when the byte is n or more.
        let isDigit = (digits &+ (0x80 &- 0x30) &* ones) & ~(digits &+ (0x80 &- 0x3A) &* ones) & (0x80 &* ones)
        let isLetter = (lowercase &+ (0x80 &- 0x61) &* ones) & ~(lowercase &+ (0x80 &- 0x67) &* ones) & (0x80 &* ones)
        guard isDigit | isLetter == 0x80 &* ones else { return nil }
        // 'a' & 0x0F is 1, so a letter is worth nine more than its low nibble.
        let nibbles = (digits & (0x0F &* ones)) &+ (isLetter >> 7) &* 9
        let bytes = (nibbles << 4 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF
        let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: pairs | pairs >> 16).byteSwapped
    }

    /// The 64-bit number that sixteen digits spell, given as two times eight.
    @inline(__always)
    static func number(_ first: UInt64, _ second: UInt64) -> UInt64? {
        guard let high = number(first), let low = number(second) else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    /// Eight characters as `number(_:)` takes them.
    ///
    /// - Precondition: `offset + 8 <= text.count`.
    @inline(__always)
    static func eight(_ text: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        UInt64(littleEndian: text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Four characters, in the low half.
    ///
    /// - Precondition: `offset + 4 <= text.count`.
    @inline(__always)
    static func four(_ text: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        UInt64(UInt32(littleEndian: text.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }

    /// Writes the sixteen lower-case digits of `number`, most significant first.
    static func append(_ number: UInt64, to text: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let nibble = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 0x0F
            text.append(nibble < 10 ? 0x30 + nibble : 0x61 - 10 + nibble)
        }
    }

    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
}
