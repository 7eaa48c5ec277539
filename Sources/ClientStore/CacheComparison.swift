import PostgresClient
import RedisClient
import RouterCore

/// What Redis remembers of the clients, beside what Postgres says of them: for a person who wants to know whether the
/// cache tells the truth. It reads and changes nothing.
public struct CacheComparison: Sendable {
    /// Clients that were looked up.
    public var clients = 0
    /// Entries that Redis has of them.
    public var entries = 0
    /// Clients whose entry says something else than Postgres.
    public var differing: [ClientID] = []
    /// Entries that were there and cannot be used: of a wrong form, or their MAC missing or wrong.
    public var rejected = 0

    /// Ids of one question to each server.
    private static let chunk = 1_000

    public static func compare(
        _ ids: [ClientID], postgres: PostgresSettings, redis: RedisURL, hmacKey: [UInt8]?
    ) throws -> CacheComparison {
        let scope = "\(postgres.host):\(postgres.port)/\(postgres.database)"
        var cache = RedisLevel(redis, hmacKey: hmacKey, scope: scope)
        var truth = PostgresLevel(postgres, interrupt: WakeSignal())
        var comparison = CacheComparison()
        comparison.clients = ids.count
        for start in stride(from: 0, to: ids.count, by: chunk) {
            let some = Array(ids[start..<min(start + chunk, ids.count)])
            // The cache first: an entry that Postgres has overtaken meanwhile shows as different, and is asked again.
            let first = try read(some, &cache)
            comparison.entries += first.count
            let suspects = try differing(first, truth.read(some))
            if suspects.isEmpty { continue }
            let again = try read(suspects, &cache)
            comparison.differing += try differing(again, truth.read(suspects))
        }
        comparison.rejected = Int(cache.rejectedEntries)
        return comparison
    }

    private static func read(_ ids: [ClientID], _ cache: inout RedisLevel) throws -> [ClientID: CacheEntry] {
        let entries = cache.read(ids, nowMilliseconds: monotonicMilliseconds())
        if let error = cache.error { throw CacheUnreachable(description: error) }
        return entries
    }

    private static func differing(
        _ entries: [ClientID: CacheEntry], _ reading: PostgresLevel.Reading
    ) -> [ClientID] {
        entries.filter { id, entry in
            guard let actual = reading.clients[id] else { return true }
            return !isSame(entry.client, actual)
        }.keys.sorted { $0.description < $1.description }
    }

    private static func isSame(_ one: ClientEntry, _ other: ClientEntry) -> Bool {
        one.status == other.status && one.keyHash.hex == other.keyHash.hex
            && one.previousKeyHash?.hex == other.previousKeyHash?.hex
            && one.previousKeyExpiresAtMilliseconds == other.previousKeyExpiresAtMilliseconds
            && one.databaseName == other.databaseName
    }
}

/// Redis did not answer; its words.
public struct CacheUnreachable: Error, Sendable, CustomStringConvertible {
    public let description: String
}
