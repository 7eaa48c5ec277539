import PostgresClient
import RouterCore

extension ClientRepository {
    /// The clients as events are judged by, in one statement; ids that Postgres does not know are left out.
    public func entries(_ ids: [ClientID]) throws(PostgresError) -> [ClientID: ClientEntry] {
        if ids.isEmpty { return [:] }
        let result = try connection.query(ClientRow.readStatement, [ClientRow.array(ids)])
        var entries: [ClientID: ClientEntry] = [:]
        for row in result.rows {
            guard let id = row["client_id"].flatMap({ ClientID($0) }) else { continue }
            // A row that cannot be used is an entry that accepts nothing: its events fail again, and say why.
            entries[id] = ClientRow.entry(row, id: id).entry
        }
        return entries
    }
}
