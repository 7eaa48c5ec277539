/// The fields that are read once the client is known good, in the contract's order.
extension EventDecoder {
    mutating func readFields(
        _ record: RecordView, _ value: UnsafeRawBufferPointer, into event: inout EventFields
    ) -> Refusal? {
        if let refusal = readEventName(value, into: &event) { return refusal }
        if let refusal = readEventID(record, value, into: &event) { return refusal }
        switch identifier(.userID, of: value) {
        case .success(let bytes): event.userID = bytes
        case .failure(let refusal): return refusal
        }
        switch identifier(.sessionID, of: value) {
        case .success(let bytes): event.sessionID = bytes
        case .failure(let refusal): return refusal
        }
        let range = TimestampRange(recordMilliseconds: record.timestampMilliseconds)
        let timestamp: Int64?
        switch readTimestamp(record, value, range) {
        case .success(let milliseconds): timestamp = milliseconds
        case .failure(let refusal): return refusal
        }
        if let refusal = readEventProperties(value, into: &event) { return refusal }
        guard let timestamp, range.isRecordStorable else { return Self.outOfRange(range) }
        event.timestampMilliseconds = timestamp
        event.extraFields = closedExtraFields()
        return nil
    }

    private mutating func readEventName(
        _ value: UnsafeRawBufferPointer, into event: inout EventFields
    ) -> Refusal? {
        if slots[EventField.eventName.rawValue].isMissing {
            return Refusal(.missingField, "event_name is missing or null")
        }
        switch text(.eventName, of: value) {
        case .failure(let refusal): return refusal
        case .success(let name):
            guard !name.isEmpty else { return Refusal(.invalidField, "event_name is empty") }
            guard name.count <= Self.maxEventNameBytes else {
                return Refusal(
                    .invalidField,
                    "event_name has \(name.count) bytes; \(Self.maxEventNameBytes) are allowed")
            }
            event.eventName = name
            return nil
        }
    }

    private mutating func readEventID(
        _ record: RecordView, _ value: UnsafeRawBufferPointer, into event: inout EventFields
    ) -> Refusal? {
        if slots[EventField.eventID.rawValue].isMissing {
            event.eventID = derivedEventID.id(partition: record.partition, offset: record.offset)
            return nil
        }
        switch text(.eventID, of: value) {
        case .failure(let refusal): return refusal
        case .success(let bytes):
            guard let id = UUID128(text: bytes) else {
                return Refusal(.invalidField, "event_id is not \(Self.uuidForm)")
            }
            event.eventID = id
            return nil
        }
    }

    /// `user_id` or `session_id`: a string, or a number that is kept as its text; empty when missing.
    private mutating func identifier(
        _ field: EventField, of value: UnsafeRawBufferPointer
    ) -> Result<UnsafeRawBufferPointer, Refusal> {
        let slot = slots[field.rawValue]
        if slot.isMissing { return .success(UnsafeRawBufferPointer(start: nil, count: 0)) }
        if slot.kind == .number, !slot.isRepeated {
            return .success(UnsafeRawBufferPointer(rebasing: value[slot.start..<slot.end]))
        }
        return text(field, of: value, expected: "a string or a number")
    }

    /// The event's time, or nil when it is outside the range, which is told last. A missing one is the record's; where the
    /// record has none either, the field is missing.
    private mutating func readTimestamp(
        _ record: RecordView, _ value: UnsafeRawBufferPointer, _ range: TimestampRange
    ) -> Result<Int64?, Refusal> {
        let slot = slots[EventField.timestamp.rawValue]
        if slot.isMissing {
            guard let milliseconds = record.timestampMilliseconds else {
                return .failure(
                    Refusal(
                        .missingField, "timestamp is missing or null, and the record has no timestamp to stand for it"))
            }
            return .success(milliseconds)
        }
        let milliseconds: Int64?
        if slot.kind == .number, !slot.isRepeated {
            milliseconds = EventTimestamp.milliseconds(
                number: UnsafeRawBufferPointer(rebasing: value[slot.start..<slot.end]))
        } else {
            switch text(.timestamp, of: value, expected: "a string or a number") {
            case .failure(let refusal): return .failure(refusal)
            case .success(let bytes):
                milliseconds = EventTimestamp.milliseconds(rfc3339: bytes)
                guard milliseconds != nil else { return .failure(Self.notATimestamp) }
            }
        }
        guard let milliseconds, range.contains(milliseconds), TimestampRange.isStorable(milliseconds) else {
            return .success(nil)
        }
        return .success(milliseconds)
    }

    private mutating func readEventProperties(
        _ value: UnsafeRawBufferPointer, into event: inout EventFields
    ) -> Refusal? {
        let slot = slots[EventField.eventProperties.rawValue]
        if slot.isMissing {
            event.eventProperties = Self.emptyObject
            return nil
        }
        if slot.isRepeated { return Self.repeated(.eventProperties) }
        guard slot.kind == .object else {
            return Refusal(.invalidField, "event_properties is \(slot.kind.noun); it has to be an object")
        }
        event.eventProperties = UnsafeRawBufferPointer(rebasing: value[slot.start..<slot.end])
        return nil
    }

    private mutating func closedExtraFields() -> UnsafeRawBufferPointer {
        guard extraFields.count > 0 else { return Self.emptyObject }
        extraFields.append(UInt8(ascii: "}"))
        return extraFields.contents
    }

    /// The characters of a string field that is not missing, as UTF-8: where they stand in the record, or decoded into
    /// scratch memory.
    mutating func text(
        _ field: EventField, of value: UnsafeRawBufferPointer, expected: String = "a string"
    ) -> Result<UnsafeRawBufferPointer, Refusal> {
        let slot = slots[field.rawValue]
        if slot.isRepeated { return .failure(Self.repeated(field)) }
        guard slot.kind == .string else {
            return .failure(Refusal(.invalidField, "\(field.name) is \(slot.kind.noun); it has to be \(expected)"))
        }
        let content = UnsafeRawBufferPointer(rebasing: value[slot.start + 1..<slot.end - 1])
        guard slot.isEscaped else { return .success(content) }
        // All decoded strings together are shorter than the value, for which `credentials` has made room.
        guard let decoded = decodedText.append(maxBytes: content.count, { JSONString.decode(content, into: $0) }) else {
            return .failure(
                Refusal(.invalidField, "\(field.name) holds half of a surrogate pair, which is no character"))
        }
        return .success(decoded)
    }

    /// Memory that lives as long as the program.
    private static var emptyObject: UnsafeRawBufferPointer {
        let text: StaticString = "{}"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    static func repeated(_ field: EventField) -> Refusal {
        Refusal(.invalidField, "\(field.name) is given more than once (an escaped key is the same key)")
    }

    private static var notATimestamp: Refusal {
        Refusal(
            .invalidField,
            "timestamp is not RFC 3339 with a zone, such as 2026-01-31T23:59:59.123Z "
                + "(epoch seconds or milliseconds have to be a JSON number)")
    }

    private static func outOfRange(_ range: TimestampRange) -> Refusal {
        guard range.isRecordStorable else {
            return Refusal(
                .timestampOutOfRange,
                "the Kafka record's own timestamp is outside the years 1900 to 2299, all that the column received_at holds; "
                    + "was it given in another unit than milliseconds?")
        }
        let years =
            range.recordMilliseconds == nil
            ? "the years 2000 to 2100 (the record has no timestamp of its own)"
            : "five years before to one day after the record's own timestamp, within the years 1900 to 2299"
        return Refusal(.timestampOutOfRange, "timestamp is outside \(years)")
    }
}
