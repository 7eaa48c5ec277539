/// Numbers, words and strings.
extension JSONScanner {
    /// Scans a number, `true`, `false` or `null`.
    ///
    /// What may follow is the caller's business: the `1` of `01` or `1x` ends after `1`, and there is no comma there.
    @inline(__always)
    mutating func scalar(_ cursor: Cursor) -> Cursor? {
        switch cursor.pointee {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(cursor)
        case UInt8(ascii: "t"): return word("true", cursor)
        case UInt8(ascii: "f"): return word("false", cursor)
        case UInt8(ascii: "n"): return word("null", cursor)
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
            return fail(.badLiteral, at: cursor)
        default: return fail(.expectedValue, at: cursor)
        }
    }

    private mutating func word(_ word: StaticString, _ cursor: Cursor) -> Cursor? {
        let length = word.utf8CodeUnitCount
        for index in 0..<length {
            guard cursor + index < end else { return fail(.unexpectedEnd, at: end) }
            guard cursor[index] == word.utf8Start[index] else { return fail(.badLiteral, at: cursor) }
        }
        return cursor + length
    }

    /// RFC 8259: `[ minus ] int [ frac ] [ exp ]`, of any size.
    private mutating func number(_ first: Cursor) -> Cursor? {
        var cursor = first
        if cursor.pointee == UInt8(ascii: "-") { cursor += 1 }
        guard cursor < end, Self.isDigit(cursor.pointee) else { return fail(.badNumber, at: cursor) }
        if cursor.pointee == UInt8(ascii: "0") {
            cursor += 1
        } else {
            cursor = skipDigits(cursor)
        }
        if cursor < end, cursor.pointee == UInt8(ascii: ".") {
            cursor += 1
            guard cursor < end, Self.isDigit(cursor.pointee) else { return fail(.badNumber, at: cursor) }
            cursor = skipDigits(cursor)
        }
        if cursor < end, cursor.pointee | 0x20 == UInt8(ascii: "e") {
            cursor += 1
            if cursor < end, cursor.pointee == UInt8(ascii: "+") || cursor.pointee == UInt8(ascii: "-") { cursor += 1 }
            guard cursor < end, Self.isDigit(cursor.pointee) else { return fail(.badNumber, at: cursor) }
            cursor = skipDigits(cursor)
        }
        return cursor
    }

    @inline(__always)
    private func skipDigits(_ cursor: Cursor) -> Cursor {
        var cursor = cursor
        while cursor < end, Self.isDigit(cursor.pointee) { cursor += 1 }
        return cursor
    }

    @inline(__always)
    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// Scans a string from the byte after its opening quote to the byte after its closing one.
    mutating func string(_ first: Cursor) -> Cursor? {
        var cursor = first
        while true {
            // Eight plain characters at a time; most strings of an event are shorter than three such steps. SIMD16 was
            // tried: Swift 6.3 builds its masks lane by lane, which came to twelve times the instructions.
            while end - cursor >= 8 {
                let word = UnsafeRawPointer(cursor).loadUnaligned(as: UInt64.self)
                let stops = Self.stops(UInt64(littleEndian: word))
                if stops != 0 {
                    cursor += stops.trailingZeroBitCount >> 3
                    break
                }
                cursor += 8
            }
            guard cursor < end else { return fail(.unexpectedEnd, at: cursor) }
            let byte = cursor.pointee
            if byte == UInt8(ascii: "\"") { return cursor + 1 }
            if byte == UInt8(ascii: "\\") {
                sawEscape = true
                guard let next = escape(cursor) else { return nil }
                cursor = next
            } else if byte < 0x20 {
                return fail(.controlCharacter, at: cursor)
            } else if byte >= 0x80 {
                guard let next = multibyteRun(cursor) else { return nil }
                cursor = next
            } else {
                // Only the last seven bytes of the document come here one by one.
                cursor += 1
            }
        }
    }

    /// Marks the bytes at which `string` has to look: a quote, a backslash, a control character, a byte of a multi-byte
    /// character. The lowest mark is exact; a borrow may leave false marks above it.
    @inline(__always)
    private static func stops(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let found =
            (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- ones &* 0x20) & ~word | word
        return found & (ones &* 0x80)
    }

    /// Scans one escape sequence. A `\u` that names half of a surrogate pair is grammatical: whether it may stay depends
    /// on the field it is in.
    private mutating func escape(_ backslash: Cursor) -> Cursor? {
        guard backslash + 1 < end else { return fail(.unexpectedEnd, at: end) }
        switch backslash[1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return backslash + 2
        case UInt8(ascii: "u"):
            for index in 2..<6 {
                guard backslash + index < end else { return fail(.unexpectedEnd, at: end) }
                guard JSONString.hexValue(backslash[index]) != nil else { return fail(.badEscape, at: backslash) }
            }
            return backslash + 6
        default: return fail(.badEscape, at: backslash)
        }
    }

    /// Scans multi-byte characters up to the next ASCII byte: RFC 3629's table, so no overlong form, no surrogate,
    /// nothing above U+10FFFF.
    private mutating func multibyteRun(_ first: Cursor) -> Cursor? {
        var cursor = first
        while cursor < end, cursor.pointee >= 0x80 {
            let lead = cursor.pointee
            let length: Int
            // What the second byte may be; the others are always 80…BF.
            var low: UInt8 = 0x80
            var high: UInt8 = 0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, low) = (3, 0xA0)
            case 0xED: (length, high) = (3, 0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, low) = (4, 0x90)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, high) = (4, 0x8F)
            default: return fail(.badUTF8, at: cursor)
            }
            guard end - cursor >= length else { return fail(.badUTF8, at: cursor) }
            guard cursor[1] >= low, cursor[1] <= high else { return fail(.badUTF8, at: cursor) }
            if length > 2, cursor[2] & 0xC0 != 0x80 { return fail(.badUTF8, at: cursor) }
            if length > 3, cursor[3] & 0xC0 != 0x80 { return fail(.badUTF8, at: cursor) }
            cursor += length
        }
        return cursor
    }
}
