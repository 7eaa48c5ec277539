import CCrypto

extension KeyHash {
    /// Length of the text form in bytes.
    public static let hexBytes = 64

    /// Parses 64 hex digits in either case; nil for anything else. The time it takes tells the form of the text (length,
    /// first character that is no digit), never how close it is to a client's hash: nothing is compared here.
    public init?(hex text: UnsafeRawBufferPointer) {
        guard text.count == Self.hexBytes,
            let w0 = HexDigits.number(HexDigits.eight(text, at: 0), HexDigits.eight(text, at: 8)),
            let w1 = HexDigits.number(HexDigits.eight(text, at: 16), HexDigits.eight(text, at: 24)),
            let w2 = HexDigits.number(HexDigits.eight(text, at: 32), HexDigits.eight(text, at: 40)),
            let w3 = HexDigits.number(HexDigits.eight(text, at: 48), HexDigits.eight(text, at: 56))
        else { return nil }
        self.init(w0, w1, w2, w3)
    }

    /// Parses 64 hex digits in either case.
    public init?(hex string: String) {
        var string = string
        let parsed = string.withUTF8 { KeyHash(hex: UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// The 64 lower-case hex digits, as Postgres keeps them. Not for logs, errors, metrics or headers.
    public var hex: String {
        var digits: [UInt8] = []
        digits.reserveCapacity(Self.hexBytes)
        for word in [w0, w1, w2, w3] { HexDigits.append(word, to: &digits) }
        return String(decoding: digits, as: UTF8.self)
    }

    /// SHA-256 of `bytes`.
    public static func sha256(of bytes: UnsafeRawBufferPointer) -> KeyHash {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
            // SHA256(3): "computes the SHA-256 message digest of the n bytes at d and places it in md". It takes a null
            // pointer with n = 0.
            _ = SHA256(
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count,
                digest.baseAddress?.assumingMemoryBound(to: UInt8.self))
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: digest.load(fromByteOffset: index * 8, as: UInt64.self))
            }
            return KeyHash(word(0), word(1), word(2), word(3))
        }
    }

    /// SHA-256 of the string's UTF-8 bytes: how an API key becomes what Postgres keeps of it.
    public static func sha256(of string: String) -> KeyHash {
        var string = string
        return string.withUTF8 { sha256(of: UnsafeRawBufferPointer($0)) }
    }
}

extension KeyHash: CustomStringConvertible, CustomDebugStringConvertible {
    /// Never the hash: a value that is interpolated into a message by mistake gives nothing away.
    public var description: String { "(key hash)" }

    public var debugDescription: String { description }
}
