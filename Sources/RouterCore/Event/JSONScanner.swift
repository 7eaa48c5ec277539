/// A strict scanner for RFC 8259 in UTF-8: it finds where values end and refuses everything the grammar does not allow.
///
/// It decodes nothing and allocates nothing. Every method takes a pointer into the document, reads no byte at or after
/// `end`, and returns where it stopped, or nil after it has put the reason into `fault`. Nesting is kept in a stack of
/// its own, not on the thread's: the depth of a payload cannot exhaust anything.
struct JSONScanner {
    typealias Cursor = UnsafePointer<UInt8>

    /// Deepest nesting of objects and arrays, the outermost one counted as 1. Python's json, JavaScript's and Jackson's
    /// default limits are around 1000: what passes here can be read by every consumer of the table.
    static let maxDepth = 512

    let start: Cursor
    let end: Cursor
    /// For each open container whether it is an object; `maxDepth` elements that belong to the caller.
    private let isObjectAtDepth: UnsafeMutablePointer<Bool>
    private(set) var fault: JSONFault?
    /// Set when a string with an escape sequence was scanned; whoever wants to know clears it first.
    var sawEscape = false

    init(start: Cursor, end: Cursor, stack: UnsafeMutablePointer<Bool>) {
        self.start = start
        self.end = end
        self.isObjectAtDepth = stack
    }

    /// Records the first thing that is wrong.
    @inline(never)
    mutating func fail(_ problem: JSONFault.Problem, at cursor: Cursor) -> Cursor? {
        fault = JSONFault(problem: cursor < end ? problem : .unexpectedEnd, position: cursor - start)
        return nil
    }

    /// The first byte at or after `cursor` that is not JSON's white space; may be `end`.
    @inline(__always)
    func skipWhiteSpace(_ cursor: Cursor) -> Cursor {
        var cursor = cursor
        while cursor < end, cursor.pointee <= 0x20, Self.isWhiteSpace(cursor.pointee) { cursor += 1 }
        return cursor
    }

    @inline(__always)
    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    /// Scans one value of any kind that starts at `cursor` (white space already skipped).
    ///
    /// - Parameter depth: how many containers are open around it.
    @inline(__always)
    mutating func value(_ cursor: Cursor, depth: Int) -> Cursor? {
        guard cursor < end else { return fail(.expectedValue, at: cursor) }
        switch cursor.pointee {
        case UInt8(ascii: "\""): return string(cursor + 1)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return container(cursor, depth: depth)
        default: return scalar(cursor)
        }
    }

    /// Scans an object or array whose bracket stands at `open`, with all that is in it.
    mutating func container(_ open: Cursor, depth outerDepth: Int) -> Cursor? {
        guard outerDepth < Self.maxDepth else { return fail(.tooDeep, at: open) }
        var depth = outerDepth
        var inObject = open.pointee == UInt8(ascii: "{")
        isObjectAtDepth[depth] = inObject
        depth += 1
        var cursor = open + 1
        var isFirst = true
        while true {
            // A container was just opened, or a comma was read.
            cursor = skipWhiteSpace(cursor)
            guard cursor < end else { return fail(.unexpectedEnd, at: cursor) }
            if !(isFirst && cursor.pointee == Self.closing(inObject)) {
                if inObject {
                    guard let afterColon = keyAndColon(cursor) else { return nil }
                    cursor = skipWhiteSpace(afterColon)
                    guard cursor < end else { return fail(.expectedValue, at: cursor) }
                }
                let byte = cursor.pointee
                if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                    guard depth < Self.maxDepth else { return fail(.tooDeep, at: cursor) }
                    inObject = byte == UInt8(ascii: "{")
                    isObjectAtDepth[depth] = inObject
                    depth += 1
                    cursor += 1
                    isFirst = true
                    continue
                }
                guard let next = byte == UInt8(ascii: "\"") ? string(cursor + 1) : scalar(cursor) else { return nil }
                cursor = next
            }
            // A value has ended: close as many containers as end here.
            while true {
                cursor = skipWhiteSpace(cursor)
                guard cursor < end else { return fail(.unexpectedEnd, at: cursor) }
                let byte = cursor.pointee
                if byte == UInt8(ascii: ",") { break }
                guard byte == Self.closing(inObject) else { return fail(.expectedCommaOrEnd, at: cursor) }
                cursor += 1
                depth -= 1
                if depth == outerDepth { return cursor }
                inObject = isObjectAtDepth[depth - 1]
            }
            cursor += 1
            isFirst = false
        }
    }

    @inline(__always)
    private static func closing(_ isObject: Bool) -> UInt8 {
        isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
    }

    /// Scans a key and its colon; white space between them is allowed.
    @inline(__always)
    private mutating func keyAndColon(_ cursor: Cursor) -> Cursor? {
        guard cursor.pointee == UInt8(ascii: "\"") else { return fail(.expectedKey, at: cursor) }
        guard let afterKey = string(cursor + 1) else { return nil }
        let colon = skipWhiteSpace(afterKey)
        guard colon < end, colon.pointee == UInt8(ascii: ":") else { return fail(.expectedColon, at: colon) }
        return colon + 1
    }
}
