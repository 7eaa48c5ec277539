extension RecordView {
    /// Takes one header of the record over, if it is one of the two that carry credentials.
    public mutating func take(header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer?) {
        let text = value ?? UnsafeRawBufferPointer(start: nil, count: 0)
        if name.elementsEqual("client_id".utf8) {
            if clientIDHeader != nil { hasRepeatedCredentialHeader = true }
            clientIDHeader = text
        } else if name.elementsEqual("api_key_hash".utf8) {
            if apiKeyHashHeader != nil { hasRepeatedCredentialHeader = true }
            apiKeyHashHeader = text
        }
    }
}
