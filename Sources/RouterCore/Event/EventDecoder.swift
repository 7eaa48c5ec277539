/// Judges a record's value by the contract and finds its fields, in one pass over the bytes.
///
/// The caller decides about the client between the two halves:
///
/// ```swift
/// switch decoder.open(record) {
/// case .refused(let refusal): …                     // a dead letter
/// case .credentials(let client, let keyHash):       // … known, key right, active? Then:
///     if let refusal = decoder.finish(record, into: &fields) { … }
/// }
/// ```
///
/// so that the reasons win in the contract's order: empty, too large, malformed, not an object, credentials missing,
/// credentials invalid; the client; then the other fields as `EventField` lists them, then the timestamp's range.
///
/// A decoder belongs to one thread at a time. It works on the record's own memory and on scratch memory that it keeps:
/// nothing is allocated for an event that is accepted, unless it is larger than every one before it.
///
/// `@unchecked Sendable`: it is the only owner of its memory, it cannot be copied, and what touches the memory is
/// `mutating`, so that the compiler sees to one user at a time.
public struct EventDecoder: ~Copyable, @unchecked Sendable {
    /// What the first half says.
    public enum Opening {
        /// The value is one JSON object, and names this client and this key.
        case credentials(ClientID, KeyHash)
        case refused(Refusal)
    }

    /// An event's name ends in a LowCardinality column; a longer one is no name.
    static let maxEventNameBytes = 256

    let maxEventBytes: Int
    var slots: [8 of EventSlot] = .init(repeating: EventSlot())
    /// The fields without a column, as the JSON object that `extra_fields` gets.
    var extraFields = ScratchBuffer()
    /// Strings whose escape sequences had to be decoded.
    var decodedText = ScratchBuffer()
    /// A key whose escape sequences had to be decoded.
    var decodedKey = ScratchBuffer()
    var derivedEventID: DerivedEventID
    /// The value that `open` accepted and `finish` may go on with.
    private var openValue: UnsafeRawBufferPointer?
    /// One element for each level of nesting: lent to the scanner.
    let containerStack: UnsafeMutablePointer<Bool>

    /// - Parameters:
    ///   - topic: the topic that the records come from; part of the ids of events that bring none.
    ///   - maxEventBytes: `ROUTER_MAX_EVENT_BYTES`, the longest value that is accepted.
    public init(topic: String, maxEventBytes: Int) {
        self.maxEventBytes = maxEventBytes
        derivedEventID = DerivedEventID(topic: topic)
        containerStack = .allocate(capacity: JSONScanner.maxDepth)
        containerStack.initialize(repeating: false, count: JSONScanner.maxDepth)
    }

    deinit {
        containerStack.deallocate()
    }

    /// Checks the whole value and reads the credentials: everything that can be said before the client is known.
    public mutating func open(_ record: RecordView) -> Opening {
        openValue = nil
        guard let value = record.value, !value.isEmpty else {
            return .refused(Refusal(.emptyPayload, "the record has no value"))
        }
        if let refusal = scan(value) { return .refused(refusal) }
        switch credentials(record, value) {
        case .failure(let refusal): return .refused(refusal)
        case .success(let (client, keyHash)):
            openValue = value
            return .credentials(client, keyHash)
        }
    }

    /// Reads the other fields of the record that `open` has just accepted.
    ///
    /// - Parameter event: on nil it holds all fields, valid until the next call of `open`; on a refusal it is not to be
    ///   used.
    /// - Precondition: the last call was `open` with the same record, and returned credentials: a refused or an earlier
    ///   record's fields must never be taken for this one's.
    public mutating func finish(_ record: RecordView, into event: inout EventFields) -> Refusal? {
        guard let value = openValue, record.value?.baseAddress == value.baseAddress,
            record.value?.count == value.count
        else {
            preconditionFailure("EventDecoder.finish without an open of the same record that returned credentials")
        }
        openValue = nil
        return readFields(record, value, into: &event)
    }
}
