import PostgresClient
import RouterCore

/// Reads rows of `public.clients` as entries.
enum ClientRow {
    /// One statement for any number of clients. The left side is one row, so that the time comes back even when no
    /// client is found. An infinite expiry cannot be cast to a number and would fail the statement for every client
    /// in it, so it is spelled out.
    static let readStatement = """
        SELECT (extract(epoch FROM now()) * 1000000)::bigint AS read_at_us,
               c.client_id, c.status, c.api_key_hash, c.previous_api_key_hash, c.ch_database_name,
               CASE WHEN c.previous_api_key_expires_at = 'infinity' THEN 9223372036854775807
                    WHEN isfinite(c.previous_api_key_expires_at) AND c.previous_api_key_expires_at >= 'epoch'
                    THEN (extract(epoch FROM c.previous_api_key_expires_at) * 1000)::bigint
                    ELSE 0 END AS previous_expires_ms
          FROM (SELECT 1) AS one
          LEFT JOIN public.clients AS c ON c.client_id = ANY($1::uuid[])
        """

    /// The ids of all clients in one value, 36 characters each, so that a hundred thousand are one string and not as many
    /// rows. `$1` is one more than the number that is wanted: whether there are too many is told without reading them all.
    static let rosterStatement = """
        SELECT (extract(epoch FROM now()) * 1000000)::bigint AS read_at_us,
               count(*) AS clients, coalesce(string_agg(client_id::text, ''), '') AS ids
          FROM (SELECT client_id FROM public.clients LIMIT $1) AS listed
        """

    /// nil when the text is not made of ids.
    static func roster(_ text: String) -> Set<ClientID>? {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            guard bytes.count.isMultiple(of: ClientID.textBytes) else { return nil }
            var ids = Set<ClientID>(minimumCapacity: bytes.count / ClientID.textBytes)
            for start in stride(from: 0, to: bytes.count, by: ClientID.textBytes) {
                let one = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + ClientID.textBytes)])
                guard let id = ClientID(text: one) else { return nil }
                ids.insert(id)
            }
            return ids
        }
    }

    /// Postgres' text form of an array.
    static func array(_ ids: [ClientID]) -> String {
        "{" + ids.map(\.description).joined(separator: ",") + "}"
    }

    /// A row that does not hold what the constraints promise is the entry of a client that no event is accepted for:
    /// it can neither be missed (the client exists) nor be waited for (nothing would change). Its events become
    /// dead letters, which can be replayed once the row is repaired; `problem` is for the log.
    static func entry(_ row: PostgresRow, id: ClientID) -> (entry: ClientEntry, problem: String?) {
        func unusable(_ column: String) -> (ClientEntry, String?) {
            let entry = ClientEntry(
                id: id, status: .suspended, keyHash: KeyHash(0, 0, 0, 0), databaseName: DatabaseName.standard(for: id))
            return (
                entry,
                "the row of client \(id) in Postgres cannot be used: its \(column) has a form that this version does "
                    + "not know; its events are refused until the row is repaired"
            )
        }
        guard let status = row["status"].flatMap(ClientStatus.init(rawValue:)) else { return unusable("status") }
        guard let keyHash = row["api_key_hash"].flatMap({ KeyHash(hex: $0) }) else { return unusable("api_key_hash") }
        guard let database = row["ch_database_name"], DatabaseName.isValid(database) else {
            return unusable("ch_database_name")
        }
        var previous: KeyHash?
        if let text = row["previous_api_key_hash"] {
            guard let hash = KeyHash(hex: text) else { return unusable("previous_api_key_hash") }
            previous = hash
        }
        let expiry = row["previous_expires_ms"].flatMap { Int64($0) } ?? 0
        let entry = ClientEntry(
            id: id, status: status, keyHash: keyHash, previousKeyHash: previous,
            previousKeyExpiresAtMilliseconds: expiry, databaseName: database)
        return (entry, nil)
    }
}
