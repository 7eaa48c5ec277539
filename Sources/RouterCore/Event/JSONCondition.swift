/// A condition on a JSON document: `.event_properties.items[0].sku = "A-1"`, `event_name != page_view`.
///
/// A path is names and indices from the outermost value; a name that is not letters, digits, `_` or `-` stands in double
/// quotes. The right side is a JSON string, number, `true`, `false` or `null`; any other text is a string. Numbers are
/// compared by value, and never equal a string; `null` equals a value that is not there. Of a name given twice the last
/// counts. A document that is not JSON fulfils no condition.
public struct JSONCondition: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case member([UInt8])
        case element(Int)
    }

    enum Literal: Sendable, Equatable {
        case string([UInt8])
        case number(Double)
        case word([UInt8])
    }

    /// Far beyond any path that a person writes.
    public static let maxSteps = 64

    public let text: String
    let steps: [Step]
    let isNegated: Bool
    let literal: Literal

    public init(_ text: String) throws(JSONConditionError) {
        self.text = text
        var parser = JSONConditionParser(Array(text.utf8))
        steps = try parser.path()
        isNegated = try parser.comparison()
        literal = parser.literal()
    }

    /// Whether the document, the value of a record, fulfils it.
    public func holds(_ document: UnsafeRawBufferPointer) -> Bool {
        guard let base = document.baseAddress else { return false }
        return withUnsafeTemporaryAllocation(of: Bool.self, capacity: JSONScanner.maxDepth) { stack in
            guard let stackBase = stack.baseAddress else { return false }
            // The memory belongs to the caller and is only read, as bytes, while this call lasts.
            let start = base.assumingMemoryBound(to: UInt8.self)
            var scanner = JSONScanner(start: start, end: start + document.count, stack: stackBase)
            let first = scanner.skipWhiteSpace(start)
            guard first < scanner.end, let end = scanner.value(first, depth: 0),
                scanner.skipWhiteSpace(end) == scanner.end
            else { return false }
            var found: UnsafeRawBufferPointer? = UnsafeRawBufferPointer(start: first, count: end - first)
            for step in steps {
                guard let value = found else { break }
                found = Self.find(step, in: value, &scanner)
            }
            return equals(found) != isNegated
        }
    }

    /// The part of a value, which the scanner has accepted before, that a step leads to.
    private static func find(
        _ step: Step, in value: UnsafeRawBufferPointer, _ scanner: inout JSONScanner
    ) -> UnsafeRawBufferPointer? {
        guard let base = value.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        switch (step, base.pointee) {
        case (.member, UInt8(ascii: "{")), (.element, UInt8(ascii: "[")): break
        default: return nil
        }
        var cursor = scanner.skipWhiteSpace(base + 1)
        var index = 0
        var found: UnsafeRawBufferPointer?
        while cursor < scanner.end, cursor.pointee != UInt8(ascii: "}"), cursor.pointee != UInt8(ascii: "]") {
            var isWanted = false
            if case .member(let name) = step {
                guard let keyEnd = scanner.string(cursor + 1) else { return nil }
                isWanted = decoded(UnsafeRawBufferPointer(start: cursor + 1, count: keyEnd - cursor - 2)) == name
                cursor = scanner.skipWhiteSpace(scanner.skipWhiteSpace(keyEnd) + 1)
            } else if case .element(let wanted) = step {
                isWanted = index == wanted
            }
            guard let end = scanner.value(cursor, depth: 0) else { return nil }
            if isWanted { found = UnsafeRawBufferPointer(start: cursor, count: end - cursor) }
            index += 1
            cursor = scanner.skipWhiteSpace(end)
            if cursor < scanner.end, cursor.pointee == UInt8(ascii: ",") { cursor = scanner.skipWhiteSpace(cursor + 1) }
        }
        return found
    }

    private func equals(_ value: UnsafeRawBufferPointer?) -> Bool {
        guard let value, let first = value.first else { return literal == .word(Array("null".utf8)) }
        switch literal {
        case .string(let text):
            guard first == UInt8(ascii: "\"") else { return false }
            return Self.decoded(UnsafeRawBufferPointer(rebasing: value[1..<value.count - 1])) == text
        case .number(let number):
            guard first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
                return false
            }
            return Double(String(decoding: value, as: UTF8.self)) == number
        case .word(let word):
            return value.elementsEqual(word)
        }
    }

    /// The characters of a string; nil where a lone surrogate leaves it without a UTF-8 form.
    static func decoded(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var decoded = [UInt8](repeating: 0, count: text.count)
        let count = decoded.withUnsafeMutableBytes { room in
            room.baseAddress.flatMap { JSONString.decode(text, into: $0) }
        }
        guard let count else { return nil }
        decoded.removeLast(decoded.count - count)
        return decoded
    }
}

public struct JSONConditionError: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String

    public var description: String { message }
}

/// Reads the text of a condition.
private struct JSONConditionParser {
    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) { self.text = text }

    private var byte: UInt8? { position < text.count ? text[position] : nil }

    private mutating func skipBlanks() {
        while let byte, byte == 0x20 || byte == 0x09 { position += 1 }
    }

    private func failure(_ message: String) -> JSONConditionError {
        JSONConditionError(
            message: "'\(String(decoding: text, as: UTF8.self))' is no condition: \(message); a condition is 'path = "
                + "value', for example 'event_properties.items[0].sku = \"A-1\"'")
    }

    mutating func path() throws(JSONConditionError) -> [JSONCondition.Step] {
        var steps: [JSONCondition.Step] = []
        skipBlanks()
        while let byte, byte != UInt8(ascii: "="), byte != UInt8(ascii: "!"), byte != 0x20, byte != 0x09 {
            guard steps.count < JSONCondition.maxSteps else { throw failure("the path is too long") }
            if byte == UInt8(ascii: "[") {
                steps.append(.element(try index()))
            } else {
                if byte == UInt8(ascii: ".") {
                    position += 1
                } else if !steps.isEmpty {
                    throw failure("a point or a bracket has to stand before each further name")
                }
                steps.append(.member(try name()))
            }
        }
        guard !steps.isEmpty else { throw failure("it has no path") }
        return steps
    }

    private mutating func index() throws(JSONConditionError) -> Int {
        let start = position + 1
        while let byte, byte != UInt8(ascii: "]") { position += 1 }
        guard position < text.count, let index = Int(String(decoding: text[start..<position], as: UTF8.self)),
            index >= 0
        else { throw failure("an index is a number in brackets") }
        position += 1
        return index
    }

    private mutating func name() throws(JSONConditionError) -> [UInt8] {
        if byte == UInt8(ascii: "\"") { return try quoted() }
        let start = position
        while let byte, Self.isNameByte(byte) { position += 1 }
        guard position > start else { throw failure("a name is missing, or has to stand in double quotes") }
        return Array(text[start..<position])
    }

    private mutating func quoted() throws(JSONConditionError) -> [UInt8] {
        let start = position + 1
        position += 1
        while let byte, byte != UInt8(ascii: "\"") { position += byte == UInt8(ascii: "\\") ? 2 : 1 }
        guard position < text.count else { throw failure("a quoted name does not end") }
        defer { position += 1 }
        guard let name = text[start..<position].withUnsafeBytes({ JSONCondition.decoded($0) }) else {
            throw failure("a quoted name cannot be read")
        }
        return name
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...0xFF:
            true
        default: false
        }
    }

    /// `=` or `==`, or `!=`, which is true.
    mutating func comparison() throws(JSONConditionError) -> Bool {
        skipBlanks()
        let isNegated = byte == UInt8(ascii: "!")
        if isNegated { position += 1 }
        guard byte == UInt8(ascii: "=") else { throw failure("= or != is missing behind the path") }
        position += 1
        if byte == UInt8(ascii: "=") { position += 1 }
        return isNegated
    }

    mutating func literal() -> JSONCondition.Literal {
        skipBlanks()
        var rest = text[position...]
        while let last = rest.last, last == 0x20 || last == 0x09 { rest = rest.dropLast() }
        let words = ["true", "false", "null"].map { Array($0.utf8) }
        if let word = words.first(where: { rest.elementsEqual($0) }) { return .word(word) }
        let kind = rest.withUnsafeBytes { bytes -> JSONCondition.Literal? in
            guard let first = bytes.first else { return nil }
            let isString = first == UInt8(ascii: "\"")
            guard Self.isOneValue(bytes) else { return nil }
            if isString {
                let inner = UnsafeRawBufferPointer(rebasing: bytes[1..<bytes.count - 1])
                return JSONCondition.decoded(inner).map { .string($0) }
            }
            guard first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
                return nil
            }
            return Double(String(decoding: bytes, as: UTF8.self)).map { .number($0) }
        }
        return kind ?? .string(Array(rest))
    }

    private static func isOneValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        return withUnsafeTemporaryAllocation(of: Bool.self, capacity: JSONScanner.maxDepth) { stack in
            guard let stackBase = stack.baseAddress else { return false }
            let start = base.assumingMemoryBound(to: UInt8.self)
            var scanner = JSONScanner(start: start, end: start + bytes.count, stack: stackBase)
            return scanner.value(start, depth: 0) == scanner.end
        }
    }
}

/// Questions to JSON text that commands ask.
public enum JSONText {
    /// Whether the bytes are one RFC 8259 document in UTF-8, nested no deeper than events may be.
    public static func isDocument(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        return withUnsafeTemporaryAllocation(of: Bool.self, capacity: JSONScanner.maxDepth) { stack in
            guard let stackBase = stack.baseAddress else { return false }
            let start = base.assumingMemoryBound(to: UInt8.self)
            var scanner = JSONScanner(start: start, end: start + bytes.count, stack: stackBase)
            let first = scanner.skipWhiteSpace(start)
            guard first < scanner.end, let end = scanner.value(first, depth: 0) else { return false }
            return scanner.skipWhiteSpace(end) == scanner.end
        }
    }
}

/// Times as the router writes them into headers, and as operators type them.
public enum RFC3339 {
    /// Milliseconds since 1970, UTC; nil for any other form.
    public static func milliseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        EventTimestamp.milliseconds(rfc3339: text)
    }
}
