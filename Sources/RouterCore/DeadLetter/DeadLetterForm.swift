/// How much of its record a dead letter carries. One that its topic refuses for its size goes with less, in this order; a
/// part that is left out is replaced by its size and SHA-256, so that it can be recognised. The last form always fits.
public enum DeadLetterForm: Int, Sendable, Comparable, CaseIterable {
    case whole
    case withoutValue
    case withoutHeaders
    case withoutKey

    public static func < (left: DeadLetterForm, right: DeadLetterForm) -> Bool { left.rawValue < right.rawValue }
}

/// What is handed to Kafka for a dead letter.
public struct DeadLetterRecord: Sendable, Equatable {
    public var key: [UInt8]?
    public var value: [UInt8]?
    public var headers: [RecordHeader]
}

extension DeadLetter {
    /// Of a sentence in the last form: with all of our headers that is some 2 KB, less than any topic's limit.
    static let shortDetailBytes = 256

    /// The next form that leaves out something that is there; nil when nothing more can go.
    public func smallerForm(than form: DeadLetterForm) -> DeadLetterForm? {
        DeadLetterForm.allCases.first { candidate in
            guard candidate > form else { return false }
            return switch candidate {
            case .whole: false
            case .withoutValue: value != nil
            case .withoutHeaders: !headers.isEmpty
            case .withoutKey: true
            }
        }
    }

    /// - Parameters: as `allHeaders`.
    public func record(in form: DeadLetterForm, failedAt: String, connector: String) -> DeadLetterRecord {
        var letter = self
        var replaced: [RecordHeader] = []
        func replace(_ bytes: [UInt8], size: Int, _ sizeName: String, _ hashName: String) {
            replaced.append(RecordHeader(sizeName, text: String(size)))
            replaced.append(RecordHeader(hashName, text: bytes.withUnsafeBytes { KeyHash.sha256(of: $0).hex }))
        }
        if form >= .withoutValue, let value {
            letter.value = nil
            replace(value, size: value.count, DeadLetterHeader.valueBytes, DeadLetterHeader.valueSHA256)
        }
        if form >= .withoutHeaders, !headers.isEmpty {
            letter.headers = []
            let size = headers.reduce(0) { $0 + $1.name.count + ($1.value?.count ?? 0) }
            replace(headersAsBytes, size: size, DeadLetterHeader.headersBytes, DeadLetterHeader.headersSHA256)
        }
        if form >= .withoutKey {
            if let key {
                letter.key = nil
                replace(key, size: key.count, DeadLetterHeader.keyBytes, DeadLetterHeader.keySHA256)
            }
            letter.refusal.detail = Self.cut(refusal.detail, bytes: Self.shortDetailBytes)
        }
        return DeadLetterRecord(
            key: letter.key, value: letter.value,
            headers: letter.allHeaders(failedAt: failedAt, connector: connector) + replaced)
    }

    /// What `router.headers_sha256` is of: for each header its name's length in four bytes, big end first, the name, then
    /// the same of the value, whose length is ffffffff where it is null.
    private var headersAsBytes: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ part: [UInt8]?) {
            let length = part.map { UInt32(clamping: $0.count) } ?? .max
            withUnsafeBytes(of: length.bigEndian) { bytes += $0 }
            bytes += part ?? []
        }
        for header in headers {
            add(header.name)
            add(header.value)
        }
        return bytes
    }

    private static func cut(_ text: String, bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var cut = ""
        for character in text {
            guard cut.utf8.count + character.utf8.count < bytes - 3 else { break }
            cut.append(character)
        }
        return cut + "…"
    }
}
