/// Decoding of strings that the scanner has passed.
enum JSONString {
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Writes the characters of a string as UTF-8 and returns how many bytes they are, or nil where an escaped surrogate
    /// has no partner: such a string has no UTF-8 form.
    ///
    /// `\u0000` becomes a zero byte: ClickHouse's String and Kafka's headers hold any bytes.
    ///
    /// - Parameters:
    ///   - text: what stands between the quotes; `JSONScanner.string` has accepted it.
    ///   - output: room for `text.count` bytes, since no escape sequence is shorter than what it stands for.
    static func decode(_ text: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Int? {
        var input = 0
        var written = 0
        while input < text.count {
            let byte = text[input]
            guard byte == UInt8(ascii: "\\"), input + 1 < text.count else {
                output.storeBytes(of: byte, toByteOffset: written, as: UInt8.self)
                input += 1
                written += 1
                continue
            }
            if text[input + 1] != UInt8(ascii: "u") {
                output.storeBytes(of: simpleEscape(text[input + 1]), toByteOffset: written, as: UInt8.self)
                input += 2
                written += 1
                continue
            }
            guard let (scalar, length) = escapedScalar(text, at: input) else { return nil }
            for unit in scalar.utf8 {
                output.storeBytes(of: unit, toByteOffset: written, as: UInt8.self)
                written += 1
            }
            input += length
        }
        return written
    }

    private static func simpleEscape(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// The character of `\uXXXX`, or of two of them that are a surrogate pair, and the length of what was read.
    private static func escapedScalar(_ text: UnsafeRawBufferPointer, at input: Int) -> (Unicode.Scalar, Int)? {
        guard let first = codeUnit(text, at: input) else { return nil }
        if let scalar = Unicode.Scalar(first) { return (scalar, 6) }
        guard first < 0xDC00, let second = codeUnit(text, at: input + 6), 0xDC00...0xDFFF ~= second,
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { return nil }
        return (scalar, 12)
    }

    /// The number in `\uXXXX` at `input`, or nil where none stands there.
    private static func codeUnit(_ text: UnsafeRawBufferPointer, at input: Int) -> UInt32? {
        guard input + 6 <= text.count, text[input] == UInt8(ascii: "\\"), text[input + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var number: UInt32 = 0
        for index in input + 2..<input + 6 {
            guard let digit = hexValue(text[index]) else { return nil }
            number = number << 4 | digit
        }
        return number
    }
}
