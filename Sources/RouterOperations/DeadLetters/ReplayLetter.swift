import KafkaClient
import RouterCore

/// One dead letter on its way through a replay: a copy of what its record was.
struct ReplayLetter {
    var partition: Int32
    var offset: Int64
    var timestampMilliseconds: Int64?
    var value: [UInt8]?
    /// The record's own credential headers, as often as they were given.
    var credentialHeaders: [(name: [UInt8], value: [UInt8]?)] = []
    var isWithoutValue: Bool
    /// The client that the record named before a fix-up; nil when it named none, or there was no fix-up.
    var namedBefore: ClientID?
    var isMended = false

    /// nil when the headers name no origin; then it was not chosen.
    init?(_ record: KafkaRecord, _ headers: DeadLetterHeaders) {
        guard case .origin(let origin) = headers.origin else { return nil }
        partition = origin.partition
        offset = origin.offset
        timestampMilliseconds = headers.originTimestampMilliseconds
        value = record.value.map { Array($0) }
        isWithoutValue = headers.isWithoutValue
        var found: [(name: [UInt8], value: [UInt8]?)] = []
        try? record.forEachHeader { name, value in
            guard name.elementsEqual("client_id".utf8) || name.elementsEqual("api_key_hash".utf8) else { return }
            found.append((Array(name), value.map { Array($0) }))
        }
        credentialHeaders = found
    }

    /// Shows the record as the decoder takes it, valid during the call.
    func withView<Result>(_ body: (RecordView) throws -> Result) rethrows -> Result {
        // Views of the headers have to outlive their making: one flat copy that the call holds.
        var flat: [UInt8] = []
        var spans: [(name: Range<Int>, value: Range<Int>?)] = []
        for (name, value) in credentialHeaders {
            let start = flat.count
            flat += name
            let middle = flat.count
            flat += value ?? []
            spans.append((start..<middle, value == nil ? nil : middle..<flat.count))
        }
        return try flat.withUnsafeBytes { flat in
            func view(_ value: UnsafeRawBufferPointer?) throws -> Result {
                var view = RecordView(
                    value: value, partition: partition, offset: offset, timestampMilliseconds: timestampMilliseconds)
                for span in spans {
                    view.take(
                        header: UnsafeRawBufferPointer(rebasing: flat[span.name]),
                        value: span.value.map { UnsafeRawBufferPointer(rebasing: flat[$0]) })
                }
                return try body(view)
            }
            guard let value else { return try view(nil) }
            return try value.withUnsafeBytes { try view($0) }
        }
    }

    var origin: PartitionOrigin { PartitionOrigin(offset: offset, timestampMilliseconds: timestampMilliseconds) }

    var bodyBytes: Int { (value?.count ?? 0) + 128 }
}
