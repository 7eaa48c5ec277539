/// The pass over the whole value: grammar, UTF-8, and where the top-level fields stand.
extension EventDecoder {
    /// Fills `slots` and `extraFields`; the refusal when the value is not one JSON object of acceptable size.
    mutating func scan(_ value: UnsafeRawBufferPointer) -> Refusal? {
        guard let base = value.baseAddress else { return Refusal(.emptyPayload, "the record has no value") }
        // The memory belongs to the record and is only read, as bytes, while this call lasts.
        let start = base.assumingMemoryBound(to: UInt8.self)
        var scanner = JSONScanner(start: start, end: start + value.count, stack: containerStack)
        let first = scanner.skipWhiteSpace(start)
        guard first < scanner.end else {
            return Refusal(.emptyPayload, "the value is nothing but white space")
        }
        guard value.count <= maxEventBytes else {
            return Refusal(
                .payloadTooLarge,
                "the value has \(value.count) bytes; ROUTER_MAX_EVENT_BYTES allows \(maxEventBytes)")
        }
        slots = .init(repeating: EventSlot())
        extraFields.reset(capacity: value.count)

        let isObject = first.pointee == UInt8(ascii: "{")
        let end: JSONScanner.Cursor?
        if isObject {
            end = members(first, &scanner)
        } else if value.count >= 3, first == start, first[0] == 0xEF, first[1] == 0xBB, first[2] == 0xBF {
            end = scanner.fail(.byteOrderMark, at: first)
        } else {
            end = scanner.value(first, depth: 0)
        }
        if let end {
            let rest = scanner.skipWhiteSpace(end)
            if rest < scanner.end { _ = scanner.fail(.trailingBytes, at: rest) }
        }
        if let fault = scanner.fault { return Refusal(.malformedJSON, fault.explanation) }
        guard isObject else {
            let kind = EventSlot.Kind(firstByte: first.pointee)
            return Refusal(.notAnObject, "the value is \(kind.noun); an event is one JSON object")
        }
        return nil
    }

    /// Scans the outermost object, whose brace stands at `open`.
    private mutating func members(_ open: JSONScanner.Cursor, _ scanner: inout JSONScanner) -> JSONScanner.Cursor? {
        var cursor = scanner.skipWhiteSpace(open + 1)
        if cursor < scanner.end, cursor.pointee == UInt8(ascii: "}") { return cursor + 1 }
        while true {
            let keyStart = cursor
            guard cursor < scanner.end, cursor.pointee == UInt8(ascii: "\"") else {
                return scanner.fail(.expectedKey, at: cursor)
            }
            scanner.sawEscape = false
            guard let keyEnd = scanner.string(cursor + 1) else { return nil }
            let keyIsEscaped = scanner.sawEscape
            let colon = scanner.skipWhiteSpace(keyEnd)
            guard colon < scanner.end, colon.pointee == UInt8(ascii: ":") else {
                return scanner.fail(.expectedColon, at: colon)
            }
            let valueStart = scanner.skipWhiteSpace(colon + 1)
            scanner.sawEscape = false
            guard let valueEnd = scanner.value(valueStart, depth: 1) else { return nil }

            let key = UnsafeRawBufferPointer(start: keyStart, count: keyEnd - keyStart)
            if let field = field(key, isEscaped: keyIsEscaped) {
                slots[field.rawValue] = EventSlot(
                    start: valueStart - scanner.start, end: valueEnd - scanner.start,
                    kind: EventSlot.Kind(firstByte: valueStart.pointee), isEscaped: scanner.sawEscape,
                    isRepeated: slots[field.rawValue].kind != .absent)
            } else {
                keep(key, UnsafeRawBufferPointer(start: valueStart, count: valueEnd - valueStart))
            }

            cursor = scanner.skipWhiteSpace(valueEnd)
            guard cursor < scanner.end else { return scanner.fail(.unexpectedEnd, at: cursor) }
            if cursor.pointee == UInt8(ascii: "}") { return cursor + 1 }
            guard cursor.pointee == UInt8(ascii: ",") else { return scanner.fail(.expectedCommaOrEnd, at: cursor) }
            cursor = scanner.skipWhiteSpace(cursor + 1)
        }
    }

    /// The field that a key, quotes included, names.
    @inline(__always)
    private mutating func field(_ key: UnsafeRawBufferPointer, isEscaped: Bool) -> EventField? {
        let text = UnsafeRawBufferPointer(rebasing: key[1..<key.count - 1])
        return isEscaped ? escapedField(text) : EventField.named(text)
    }

    /// An escaped key is the same key. No escape sequence is longer than six bytes for each byte it stands for, so a longer
    /// text cannot be a field's name.
    private mutating func escapedField(_ text: UnsafeRawBufferPointer) -> EventField? {
        guard text.count <= 6 * EventField.maxNameBytes else { return nil }
        decodedKey.reset(capacity: text.count)
        // A key with a lone surrogate has no characters that could be a field's name.
        guard let key = decodedKey.append(maxBytes: text.count, { JSONString.decode(text, into: $0) }) else {
            return nil
        }
        return EventField.named(key)
    }

    /// Appends a member to `extra_fields`. All of them together with braces and commas are never longer than the value,
    /// for which room was made.
    private mutating func keep(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        extraFields.append(extraFields.count == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
        extraFields.append(key)
        extraFields.append(UInt8(ascii: ":"))
        extraFields.append(value)
    }
}
