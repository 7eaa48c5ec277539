import ClickHouseNative

/// The columns that differ from row to row, encoded as they will be sent.
struct EventRows: ~Copyable {
    var eventID = ByteBuffer()
    var eventName = ByteBuffer()
    var userID = ByteBuffer()
    var sessionID = ByteBuffer()
    var eventTimestamp = ByteBuffer()
    var eventProperties = ByteBuffer()
    var extraFields = ByteBuffer()
    var receivedAt = ByteBuffer()
    var sourceOffset = ByteBuffer()
    var count = 0

    /// The hot path: nothing but copies, and now and then a larger buffer.
    mutating func append(_ event: EventFields, receivedAtMilliseconds: Int64, offset: Int64) {
        eventID.appendUUID(high: event.eventID.high, low: event.eventID.low)
        eventName.appendString(event.eventName)
        userID.appendString(event.userID)
        sessionID.appendString(event.sessionID)
        eventTimestamp.append(event.timestampMilliseconds)
        eventProperties.appendString(event.eventProperties)
        extraFields.appendString(event.extraFields)
        receivedAt.append(receivedAtMilliseconds)
        sourceOffset.append(offset)
        count += 1
    }

    var encodedBytes: Int {
        eventID.count + eventName.count + userID.count + sessionID.count + eventTimestamp.count
            + eventProperties.count + extraFields.count + receivedAt.count + sourceOffset.count
    }

    var allocatedBytes: Int {
        eventID.capacity + eventName.capacity + userID.capacity + sessionID.capacity + eventTimestamp.capacity
            + eventProperties.capacity + extraFields.capacity + receivedAt.capacity + sourceOffset.capacity
    }

    /// A copy of some rows; `rows` ascending, each below `count`.
    func selecting(_ rows: [Int32]) -> EventRows {
        var selected = EventRows()
        selected.eventID.appendValues(of: eventID, rows: rows, valueBytes: 16)
        selected.eventName.appendStrings(of: eventName, rows: rows)
        selected.userID.appendStrings(of: userID, rows: rows)
        selected.sessionID.appendStrings(of: sessionID, rows: rows)
        selected.eventTimestamp.appendValues(of: eventTimestamp, rows: rows, valueBytes: 8)
        selected.eventProperties.appendStrings(of: eventProperties, rows: rows)
        selected.extraFields.appendStrings(of: extraFields, rows: rows)
        selected.receivedAt.appendValues(of: receivedAt, rows: rows, valueBytes: 8)
        selected.sourceOffset.appendValues(of: sourceOffset, rows: rows, valueBytes: 8)
        selected.count = rows.count
        return selected
    }
}

extension ByteBuffer {
    /// Appends some values of a column whose values have one width.
    fileprivate mutating func appendValues(of column: borrowing ByteBuffer, rows: [Int32], valueBytes: Int) {
        reserveExactly(rows.count * valueBytes)
        let bytes = column.bytes
        for row in rows {
            let start = Int(row) * valueBytes
            append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + valueBytes]))
        }
    }

    /// Appends some values of a String column. Where a value starts is known only from the ones before it, so the
    /// column is walked once from its start.
    fileprivate mutating func appendStrings(of column: borrowing ByteBuffer, rows: [Int32]) {
        let bytes = column.bytes
        var position = 0
        var row: Int32 = 0
        for wanted in rows {
            var start = position
            while row <= wanted {
                start = position
                position = Self.endOfString(in: bytes, at: position)
                row += 1
            }
            append(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
        }
    }

    /// The position behind the string that starts at `start`, in a column that we wrote.
    private static func endOfString(in bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
        var position = start
        var length = 0
        var shift = 0
        while true {
            let byte = Int(bytes[position])
            position += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80 { return position + length }
            shift += 7
        }
    }
}
