import KafkaClient

/// Records that wait, in their order, for their client to be looked up: copies, so that what is held is what is counted.
struct ParkedRecords {
    /// nil where a record was taken out.
    private var records: [KafkaRecordCopy?] = []
    private var head = 0
    private(set) var bytes = 0

    var isEmpty: Bool { head == records.count }
    var count: Int { records.count - head }
    var first: KafkaRecordCopy? { isEmpty ? nil : records[head] }

    /// So many places of records that are gone may stand before the first one.
    private static let maxEmptyPlaces = 4096

    mutating func append(_ record: KafkaRecord) {
        let copy = KafkaRecordCopy(record)
        records.append(copy)
        bytes += copy.heldBytes
    }

    /// Frees the first one.
    mutating func removeFirst() {
        bytes -= records[head]?.heldBytes ?? 0
        records[head] = nil
        head += 1
        if isEmpty {
            records.removeAll(keepingCapacity: true)
            head = 0
        } else if head > Self.maxEmptyPlaces {
            records.removeFirst(head)
            head = 0
        }
    }
}
