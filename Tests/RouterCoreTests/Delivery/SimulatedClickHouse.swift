import RouterCore

/// ClickHouse as the protocol has to fear it: inserts that land in part, late, or unseen; tokens that are forgotten;
/// views that fail after the rows were in; and a known token whose rows are dropped with a success.
struct SimulatedClickHouse {
    struct Row {
        var partition: Int32
        var offset: Int64
        var month: Int
        var isPoison: Bool
    }
    struct Key: Hashable {
        var client: ClientID
        var partition: Int32
        var offset: Int64
    }
    struct Token: Hashable {
        var client: ClientID
        var month: Int
        var token: String
    }

    var rows: [Key: Int] = [:]
    var batchOfRow: [Key: Set<UUID128>] = [:]
    /// When each token was last used.
    var tokens: [Token: Int64] = [:]
    /// Inserts under way: of which batch, and since when.
    var running: [UInt64: (batch: UUID128, since: Int64)] = [:]
    var isAway = false
    /// Its disk is full: it answers questions and takes no insert, whoever the client.
    var isFull = false
    var broken: Set<ClientID> = []

    enum Result { case ok, rowFault, refused }

    /// One insert, executed at one moment. Parts are made month by month, each with its own memory of the token.
    mutating func insert(
        client: ClientID, batch: UUID128, token: String, rows new: [Row], now: Int64,
        random: inout SeededGenerator
    ) -> Result {
        if broken.contains(client) || isFull { return .refused }
        if new.contains(where: \.isPoison) { return .rowFault }
        for month in Set(new.map(\.month)).sorted() {
            if random.percent(3) { return .refused }  // the months before it have landed
            let name = Token(client: client, month: month, token: token)
            if tokens.updateValue(now, forKey: name) != nil { continue }
            for row in new where row.month == month {
                let key = Key(client: client, partition: row.partition, offset: row.offset)
                rows[key, default: 0] += 1
                batchOfRow[key, default: []].insert(batch)
            }
        }
        return random.percent(3) ? .refused : .ok  // a view that fails leaves the rows
    }

    /// Forgets old tokens. A token forgotten *between* a read-back and its insert is the one way to a double, so the
    /// window of a table has to be longer than a lease: `non_replicated_deduplication_window` is.
    mutating func forgetTokens(usedBefore: Int64) {
        tokens = tokens.filter { $0.value >= usedBefore }
    }
}
