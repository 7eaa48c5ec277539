import CCrypto

/// The id of an event that brought none: the same in every life of the program, so that a replay gives it again.
///
/// A UUIDv8 (RFC 9562, section 5.8): the first 16 bytes of SHA-256 over the topic's UTF-8 bytes, one zero byte (no
/// topic's name holds one), the partition as four bytes and the offset as eight, both big-endian; then the version bits
/// are set to 8 and the variant bits to binary 10, which leaves 122 bits of the digest.
struct DerivedEventID: ~Copyable {
    /// The topic and its zero byte, then room for partition and offset.
    private let message: UnsafeMutableRawBufferPointer
    private let positionOffset: Int
    private let algorithm: OpaquePointer
    private let context: OpaquePointer

    init(topic: String) {
        let name = Array(topic.utf8)
        message = .allocate(byteCount: name.count + 1 + 12, alignment: 8)
        message.copyBytes(from: name)
        message[name.count] = 0
        positionOffset = name.count + 1
        // EVP_MD_fetch(3): fetched once, since the implicit fetch of SHA256() is a look-up in locked tables each time.
        guard let algorithm = EVP_MD_fetch(nil, "SHA256", nil), let context = EVP_MD_CTX_new() else {
            fatalError("libcrypto offers no SHA-256: check its configuration (openssl list -digest-algorithms)")
        }
        self.algorithm = algorithm
        self.context = context
    }

    deinit {
        EVP_MD_CTX_free(context)
        EVP_MD_free(algorithm)
        message.deallocate()
    }

    /// The id of the record at `offset` of `partition`.
    mutating func id(partition: Int32, offset: Int64) -> UUID128 {
        message.storeBytes(of: partition.bigEndian, toByteOffset: positionOffset, as: Int32.self)
        message.storeBytes(of: offset.bigEndian, toByteOffset: positionOffset + 4, as: Int64.self)
        return withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
            let done =
                EVP_DigestInit_ex2(context, algorithm, nil) == 1
                && EVP_DigestUpdate(context, message.baseAddress, message.count) == 1
                && EVP_DigestFinal_ex(context, digest.baseAddress?.assumingMemoryBound(to: UInt8.self), nil) == 1
            // It depends on no input: with a fetched algorithm only a broken library fails here.
            precondition(done, "libcrypto failed to compute a SHA-256")
            return UUID128(
                high: UInt64(bigEndian: digest.load(as: UInt64.self)),
                low: UInt64(bigEndian: digest.load(fromByteOffset: 8, as: UInt64.self))
            ).marked(version: 8)
        }
    }
}
