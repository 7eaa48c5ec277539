/// The request line and headers of HTTP/1.1, as far as endpoints that only answer GET need them.
struct HTTPRequestHead: Equatable {
    var method: String
    /// Without the query.
    var path: String

    /// What is answered instead when the head is not right.
    enum Fault: Error, Equatable {
        case malformed
        case unsupportedVersion
    }

    /// Where the head ends, after its empty line; nil when that has not come yet.
    static func end(in bytes: [UInt8], from start: Int) -> Int? {
        let mark: [UInt8] = [13, 10, 13, 10]
        var index = max(0, start - 3)
        while index + 4 <= bytes.count {
            if bytes[index..<index + 4].elementsEqual(mark) { return index + 4 }
            index += 1
        }
        return nil
    }

    /// - Parameter bytes: the head, its empty line included. The grammar is RFC 9112's.
    init(_ bytes: [UInt8]) throws(Fault) {
        // Isolated CR or LF and other control characters are how one request is smuggled into another.
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed }
        let lines = text.components(separatedByCRLF: ())
        guard lines.count >= 3, lines.allSatisfy(Self.isPlain) else { throw .malformed }
        let parts = lines[0].split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].utf8.allSatisfy(Self.isTokenByte), parts[1].hasPrefix("/"),
            parts[2].hasPrefix("HTTP/")
        else { throw .malformed }
        guard parts[2] == "HTTP/1.1" || parts[2] == "HTTP/1.0" else { throw .unsupportedVersion }

        var hosts = 0
        for line in lines[1...] where !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex,
                line[..<colon].utf8.allSatisfy(Self.isTokenByte)
            else { throw .malformed }
            if line[..<colon].lowercased() == "host" { hosts += 1 }
        }
        // RFC 9112, 3.2: "A server MUST respond with a 400 to any HTTP/1.1 request that lacks a Host header field".
        guard hosts == 1 || hosts == 0 && parts[2] == "HTTP/1.0" else { throw .malformed }
        method = String(parts[0])
        path = String(parts[1].prefix { $0 != "?" })
    }

    private static func isPlain(_ line: Substring) -> Bool {
        line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

extension String {
    /// Swift sees CR LF as one character, so splitting at it leaves a bare CR or LF inside a line, to be refused.
    fileprivate func components(separatedByCRLF: Void) -> [Substring] {
        split(separator: "\r\n" as Character, omittingEmptySubsequences: false)
    }
}
