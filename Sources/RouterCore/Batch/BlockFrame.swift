import ClickHouseNative

/// Everything of a block's body that does not come from its events: heads, and the columns in which all rows are the
/// same, written out for a few rows and sent as often as needed.
struct BlockFrame: ~Copyable {
    private var buffer = ByteBuffer()
    private let rowCount: Int
    /// Where each column's head is, and its repeated values where it has some.
    private var parts: [(head: Range<Int>, constant: Range<Int>?, valueBytes: Int)] = []

    init(origin: SealedBlock.Origin, rowCount: Int) {
        self.rowCount = rowCount
        parts.reserveCapacity(EventColumn.allCases.count)
        for column in EventColumn.allCases {
            let start = buffer.count
            if parts.isEmpty { buffer.appendBlockHead(columns: EventColumn.allCases.count, rows: rowCount) }
            buffer.appendColumnHead(name: column.name, type: column.type.rawValue)
            let headEnd = buffer.count
            let valueBytes = writeConstant(column, origin)
            parts.append((start..<headEnd, valueBytes.map { _ in headEnd..<buffer.count }, valueBytes ?? 0))
        }
    }

    var capacity: Int { buffer.capacity }

    consuming func intoBuffer() -> ByteBuffer { buffer }

    /// The body in the order of sending: heads and constants of this buffer between the columns of `rows`.
    func segments(_ rows: borrowing EventRows) -> [UnsafeRawBufferPointer] {
        var segments: [UnsafeRawBufferPointer] = []
        segments.reserveCapacity(parts.count * 2)
        let frame = buffer.bytes
        for (column, part) in zip(EventColumn.allCases, parts) {
            segments.append(UnsafeRawBufferPointer(rebasing: frame[part.head]))
            if let constant = part.constant {
                RepeatedValue.appendSegments(
                    of: UnsafeRawBufferPointer(rebasing: frame[constant]), valueBytes: part.valueBytes, rows: rowCount,
                    to: &segments)
            } else {
                let values = Self.values(of: column, in: rows)
                if values.count > 0 { segments.append(values) }
            }
        }
        return segments
    }

    /// Writes the repeated value of a column that has one and returns the width of a single value.
    private mutating func writeConstant(_ column: EventColumn, _ origin: SealedBlock.Origin) -> Int? {
        switch column {
        case .clientID: repeated { $0.appendUUID(high: origin.clientID.high, low: origin.clientID.low) }
        case .batchID: repeated { $0.appendUUID(high: origin.batchID.high, low: origin.batchID.low) }
        case .sourceTopic: repeated { $0.appendString(origin.topic) }
        case .sourcePartition: repeated { $0.append(origin.partition) }
        case .ingestedAt: repeated { $0.append(origin.ingestedAtMilliseconds) }
        case .eventID, .eventName, .userID, .sessionID, .eventTimestamp, .eventProperties, .extraFields, .receivedAt,
            .sourceOffset:
            nil
        }
    }

    private mutating func repeated(_ write: (inout ByteBuffer) -> Void) -> Int? {
        guard rowCount > 0 else { return 0 }
        let start = buffer.count
        write(&buffer)
        let valueBytes = buffer.count - start
        for _ in 1..<RepeatedValue.rowsWritten(valueBytes: valueBytes, rows: rowCount) { write(&buffer) }
        return valueBytes
    }

    private static func values(of column: EventColumn, in rows: borrowing EventRows) -> UnsafeRawBufferPointer {
        switch column {
        case .eventID: rows.eventID.bytes
        case .eventName: rows.eventName.bytes
        case .userID: rows.userID.bytes
        case .sessionID: rows.sessionID.bytes
        case .eventTimestamp: rows.eventTimestamp.bytes
        case .eventProperties: rows.eventProperties.bytes
        case .extraFields: rows.extraFields.bytes
        case .receivedAt: rows.receivedAt.bytes
        case .sourceOffset: rows.sourceOffset.bytes
        case .clientID, .batchID, .sourceTopic, .sourcePartition, .ingestedAt:
            UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }
}
