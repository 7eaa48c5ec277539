/// The name under which a table remembers an insert of rows by their origins: made of nothing but the origins, so that
/// the same rows have the same token in every run.
public enum OriginSetToken {
    /// A UUIDv8: the first 16 bytes of SHA-256 over the topic, a zero byte, the client, the partition, the salt and the
    /// offsets, all numbers big-endian.
    public static func id(
        topic: String, client: ClientID, partition: Int32, offsets: [Int64], salt: Int
    ) -> UUID128 {
        var message = Array(topic.utf8)
        message.reserveCapacity(message.count + 32 + offsets.count * 8)
        message.append(0)
        append(client.high, to: &message)
        append(client.low, to: &message)
        append(UInt64(UInt32(bitPattern: partition)), to: &message)
        append(UInt64(salt), to: &message)
        for offset in offsets { append(UInt64(bitPattern: offset), to: &message) }
        let digest = message.withUnsafeBytes { KeyHash.sha256(of: $0) }
        return UUID128(high: digest.w0, low: digest.w1).marked(version: 8)
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
