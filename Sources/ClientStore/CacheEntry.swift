import CCrypto
import RouterCore

/// What Redis holds of one client, as text in one line:
///
///     1 <client_id> <read at, microseconds> active <key hash> <previous hash or -> <its expiry, ms> <database> [<MAC>]
///
/// Only clients are kept: that an id is unknown makes dead letters, and nobody but Postgres is to say so. The last field is there when `ROUTER_CACHE_HMAC_KEY` is set: HMAC-SHA256 of everything before it, in hex. The
/// client's id is inside, so that one client's entry does not pass as another's. Without the key an entry is believed
/// as it stands: whoever can write to Redis can then make a client.
struct CacheEntry: Sendable {
    var client: ClientEntry
    /// Postgres' clock when the row was read, microseconds since 1970, UTC.
    var readAtMicroseconds: Int64
}

/// Writes and reads entries. Anything that is not exactly an entry of this form is read as nil: a miss.
struct CacheEntryCodec: Sendable {
    /// Far above any real entry (under 330 bytes).
    static let entryLimitBytes = 1_024
    private static let version: Substring = "1"

    /// nil: entries carry no MAC and are believed as they are.
    let key: [UInt8]?

    func encode(_ id: ClientID, _ entry: CacheEntry) -> [UInt8] {
        let client = entry.client
        let fields = [
            String(Self.version), id.description, String(entry.readAtMicroseconds),
            client.status.rawValue, client.keyHash.hex, client.previousKeyHash?.hex ?? "-",
            String(client.previousKeyExpiresAtMilliseconds), client.databaseName,
        ]
        let text = Array(fields.joined(separator: " ").utf8)
        guard let key else { return text }
        return text + [UInt8(ascii: " ")] + authenticationCode(of: text, key: key)
    }

    func decode(_ id: ClientID, _ bytes: [UInt8]) -> CacheEntry? {
        guard bytes.count <= Self.entryLimitBytes, let text = authenticated(bytes) else { return nil }
        guard let string = String(validating: text, as: UTF8.self) else { return nil }
        let fields = string.split(separator: " ", omittingEmptySubsequences: false)
        guard fields.count == 8, fields[0] == Self.version, fields[1] == id.description,
            let readAt = Int64(fields[2]), readAt > 0
        else { return nil }
        guard let client = decodeClient(id, fields) else { return nil }
        return CacheEntry(client: client, readAtMicroseconds: readAt)
    }

    private func decodeClient(_ id: ClientID, _ fields: [Substring]) -> ClientEntry? {
        guard let status = ClientStatus(rawValue: String(fields[3])),
            let keyHash = KeyHash(hex: String(fields[4])), let expiry = Int64(fields[6]), expiry >= 0
        else { return nil }
        var previous: KeyHash?
        if fields[5] != "-" {
            guard let hash = KeyHash(hex: String(fields[5])) else { return nil }
            previous = hash
        }
        let database = String(fields[7])
        guard DatabaseName.isValid(database) else { return nil }
        return ClientEntry(
            id: id, status: status, keyHash: keyHash, previousKeyHash: previous,
            previousKeyExpiresAtMilliseconds: expiry, databaseName: database)
    }

    /// The bytes without their MAC, nil when a key is set and the MAC is missing or wrong.
    private func authenticated(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
        guard let key else { return bytes[...] }
        guard let space = bytes.lastIndex(of: UInt8(ascii: " ")) else { return nil }
        let shown = bytes[(space + 1)...]
        let expected = authenticationCode(of: bytes[..<space], key: key)
        guard shown.count == expected.count else { return nil }
        let isEqual = shown.withUnsafeBytes { shown in
            // Compares in a time that does not depend on where the two differ.
            expected.withUnsafeBytes { CRYPTO_memcmp(shown.baseAddress, $0.baseAddress, $0.count) == 0 }
        }
        return isEqual ? bytes[..<space] : nil
    }

    /// 64 hex digits.
    private func authenticationCode(of text: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
        let text = Array(text)
        var code = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        var length: UInt32 = 0
        // OpenSSL's HMAC(): fails only when memory is gone; an all-zero code of length 0 then matches nothing below.
        HMAC(EVP_sha256(), key, Int32(clamping: key.count), text, text.count, &code, &length)
        let digits = Array("0123456789abcdef".utf8)
        return code.prefix(Int(length)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}
