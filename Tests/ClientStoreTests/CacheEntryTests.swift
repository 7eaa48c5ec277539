import Foundation
import RouterCore
import RouterTestSupport
import Testing

@testable import ClientStore

@Suite struct CacheEntryTests {
    static let id = ClientID(high: 1, low: 2)
    static let entry = CacheEntry(
        client: ClientEntry(
            id: id, status: .suspended, keyHash: KeyHash(1, 2, 3, 4), previousKeyHash: KeyHash(5, 6, 7, 8),
            previousKeyExpiresAtMilliseconds: .max, databaseName: "client_x"),
        readAtMicroseconds: 1_700_000_000_000_000)
    static let open = CacheEntryCodec(key: nil)
    static let keyed = CacheEntryCodec(key: Array("key".utf8))

    func text(_ entry: CacheEntry?) -> String { String(describing: entry.map { Self.open.encode(Self.id, $0) }) }

    @Test(arguments: [open, keyed])
    func whatIsWrittenIsRead(codec: CacheEntryCodec) {
        var plain = Self.entry
        plain.client.previousKeyHash = nil
        plain.client.previousKeyExpiresAtMilliseconds = 0
        for entry in [Self.entry, plain] {
            #expect(text(codec.decode(Self.id, codec.encode(Self.id, entry))) == text(entry))
        }
    }

    @Test func theMACIsWhatOpenSSLComputes() throws {
        let line = String(decoding: Self.keyed.encode(Self.id, Self.entry), as: UTF8.self)
        let space = try #require(line.lastIndex(of: " "))
        let output = try TestServers.run(
            ["openssl", "dgst", "-sha256", "-hmac", "key", "-r"], input: String(line[..<space]))
        #expect(output.hasPrefix(line[line.index(after: space)...] + " "))
    }

    @Test func withAKeyOnlyItsOwnEntriesAreBelieved() {
        let other = CacheEntryCodec(key: Array("another".utf8))
        #expect(Self.keyed.decode(Self.id, Self.open.encode(Self.id, Self.entry)) == nil, "no MAC")
        #expect(Self.keyed.decode(Self.id, other.encode(Self.id, Self.entry)) == nil, "another key's MAC")
        let moved = Self.keyed.encode(Self.id, Self.entry)
        #expect(Self.keyed.decode(ClientID(high: 1, low: 3), moved) == nil, "another client's entry")
        let bytes = Self.keyed.encode(Self.id, Self.entry)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(Self.keyed.decode(Self.id, changed) == nil, "byte \(index)")
        }
        for count in 0..<bytes.count { #expect(Self.keyed.decode(Self.id, Array(bytes.prefix(count))) == nil) }
    }

    @Test(arguments: [
        "", " ", "1", "OK", "{}", "1 ID 5 absent", "2 ID 5 active HASH - 0 db", "1 ID 5 active HASH - 0 db ",
        "1 ID -5 active HASH - 0 db", "1 ID 0 active HASH - 0 db", "1 ID x active HASH - 0 db",
        "1 other 5 active HASH - 0 db", "1 ID 99999999999999999999 active HASH - 0 db", "1 ID 5 gone HASH - 0 db",
        "1 ID 5 active HASH - 0 db`", "1 ID 5 active HASH - 0 system", "1 ID 5 active HASH - 0 db x",
        "1 ID 5 active HASH - -1 db", "1 ID 5 active HASH + 0 db", "1 ID 5 active HASHx - 0 db",
        "1 ID 5 active HASH - 0",
        "1  ID 5 active HASH - 0 db", "1 ID 5 active HASH - 0 \u{e9}",
    ])
    func whatIsNotExactlyAnEntryIsAMiss(text: String) {
        let hash = String(repeating: "ab", count: 32)
        let text = text.replacingOccurrences(of: "ID", with: Self.id.description)
            .replacingOccurrences(of: "HASH", with: hash)
        #expect(Self.open.decode(Self.id, Array(text.utf8)) == nil)
    }

    @Test func theCasesAboveDifferFromAnEntryOnlyInTheirFault() {
        let hash = String(repeating: "ab", count: 32)
        let text = "1 \(Self.id) 5 active \(hash) - 0 db"
        #expect(Self.open.decode(Self.id, Array(text.utf8)) != nil)
    }

    @Test func randomBytesAndMutantsNeverCrash() {
        var random = Seeded(state: 42)
        let good = Self.open.encode(Self.id, Self.entry)
        for round in 0..<20_000 {
            var bytes = good
            if round % 4 == 0 {
                bytes = (0..<Int.random(in: 0...1_100, using: &random)).map { _ in .random(in: 0...255, using: &random)
                }
            } else {
                for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                    let index = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[index] = .random(in: 0...255, using: &random)
                    case 1: bytes.remove(at: index)
                    default: bytes.insert(bytes[index], at: index)
                    }
                }
            }
            guard let entry = Self.open.decode(Self.id, bytes) else { continue }
            // What is taken is an entry that could have been written: hex in either case is the only freedom.
            let again = Self.open.encode(Self.id, entry)
            let lower = String(decoding: bytes, as: UTF8.self).lowercased()
            #expect(String(decoding: again, as: UTF8.self).lowercased() == lower || bytes.contains(UInt8(ascii: "0")))
        }
    }

    @Test func theSizeLimitAtItsEdge() {
        let long = [UInt8](repeating: UInt8(ascii: "1"), count: CacheEntryCodec.entryLimitBytes + 1)
        #expect(Self.open.decode(Self.id, long) == nil)
        #expect(Self.keyed.encode(Self.id, Self.entry).count < CacheEntryCodec.entryLimitBytes / 2)
    }
}
