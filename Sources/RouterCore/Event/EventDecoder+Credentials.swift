/// Who sent the event: from the record's headers, or else from the value.
extension EventDecoder {
    /// The credentials of a scanned value. The headers count where both are there; what the value gives besides must
    /// agree with them. What is missing is told before what is invalid.
    mutating func credentials(
        _ record: RecordView, _ value: UnsafeRawBufferPointer
    ) -> Result<(ClientID, KeyHash), Refusal> {
        decodedText.reset(capacity: value.count)
        if let clientHeader = record.clientIDHeader, let keyHeader = record.apiKeyHashHeader {
            if record.hasRepeatedCredentialHeader { return .failure(Self.repeatedHeader) }
            return fromHeaders(clientHeader, keyHeader, value)
        }
        if let refusal = missingCredential(record) { return .failure(refusal) }
        if record.hasRepeatedCredentialHeader { return .failure(Self.repeatedHeader) }
        switch (clientID(value), keyHash(value)) {
        case (.failure(let refusal), _), (_, .failure(let refusal)): return .failure(refusal)
        case (.success(let client), .success(let keyHash)): return .success((client, keyHash))
        }
    }

    private mutating func fromHeaders(
        _ clientHeader: UnsafeRawBufferPointer, _ keyHeader: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) -> Result<(ClientID, KeyHash), Refusal> {
        guard let client = UUID128(text: clientHeader) else {
            return .failure(Refusal(.invalidField, "the header client_id is not \(Self.uuidForm)"))
        }
        guard let keyHash = KeyHash(hex: keyHeader) else {
            return .failure(Refusal(.invalidField, "the header api_key_hash is not \(Self.keyHashForm)"))
        }
        if !slots[EventField.clientID.rawValue].isMissing {
            switch self.clientID(value) {
            case .failure(let refusal): return .failure(refusal)
            case .success(let other) where other != client: return .failure(Self.disagreement("client_id"))
            case .success: break
            }
        }
        if !slots[EventField.apiKeyHash.rawValue].isMissing {
            switch self.keyHash(value) {
            case .failure(let refusal): return .failure(refusal)
            case .success(let other) where !other.matches(keyHash):
                return .failure(Self.disagreement("api_key_hash"))
            case .success: break
            }
        }
        return .success((client, keyHash))
    }

    private func missingCredential(_ record: RecordView) -> Refusal? {
        let isClientMissing = slots[EventField.clientID.rawValue].isMissing
        let isKeyMissing = slots[EventField.apiKeyHash.rawValue].isMissing
        guard isClientMissing || isKeyMissing else { return nil }
        let names =
            isClientMissing && isKeyMissing
            ? "client_id and api_key_hash are" : isClientMissing ? "client_id is" : "api_key_hash is"
        let hasOneHeader = record.clientIDHeader != nil || record.apiKeyHashHeader != nil
        let hint =
            hasOneHeader
            ? "; one credential header alone is ignored, send both" : "; send both as headers or as top-level fields"
        return Refusal(.missingField, "\(names) missing or null\(hint)")
    }

    private mutating func clientID(_ value: UnsafeRawBufferPointer) -> Result<ClientID, Refusal> {
        text(.clientID, of: value).flatMap { bytes in
            UUID128(text: bytes).map { .success($0) }
                ?? .failure(Refusal(.invalidField, "client_id is not \(Self.uuidForm)"))
        }
    }

    private mutating func keyHash(_ value: UnsafeRawBufferPointer) -> Result<KeyHash, Refusal> {
        text(.apiKeyHash, of: value).flatMap { bytes in
            KeyHash(hex: bytes).map { .success($0) }
                ?? .failure(Refusal(.invalidField, "api_key_hash is not \(Self.keyHashForm)"))
        }
    }

    static let uuidForm = "a UUID in the form 8-4-4-4-12 hex digits with hyphens"
    static let keyHashForm = "64 hex digits (the SHA-256 of the API key)"

    private static var repeatedHeader: Refusal {
        Refusal(.invalidField, "the header client_id or api_key_hash is given more than once")
    }

    private static func disagreement(_ name: String) -> Refusal {
        Refusal(.invalidField, "\(name) differs between the record's header and its value; send it once, or alike")
    }
}
