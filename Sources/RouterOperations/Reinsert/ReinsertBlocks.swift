import RouterCore

/// Gathers rows by client and partition, to be inserted together.
struct ReinsertBlocks: ~Copyable {
    private struct Key: Hashable {
        var client: ClientID
        var partition: Int32
    }

    private var blocks: [Key: (block: EventBlock, database: String, origins: [PartitionOrigin])] = [:]
    private(set) var bytes = 0

    /// Rows of one client and partition come in the order of their offsets.
    ///
    /// - Parameter nowMilliseconds: what a row whose record has no timestamp gets, as from the router.
    mutating func append(
        _ fields: EventFields, client: ClientEntry, partition: Int32, origin: PartitionOrigin, nowMilliseconds: Int64
    ) {
        let key = Key(client: client.id, partition: partition)
        var entry = blocks[key] ?? (EventBlock(), client.databaseName, [])
        blocks[key] = nil
        entry.block.append(
            fields, receivedAtMilliseconds: origin.timestampMilliseconds ?? nowMilliseconds, offset: origin.offset)
        entry.origins.append(origin)
        bytes += fields.eventProperties.count + fields.extraFields.count + 256
        blocks[key] = entry
    }

    /// In a fixed order. A block's id, which stands in its rows, comes from its origins.
    consuming func sealed(topic: String, nowMilliseconds: Int64) -> [Reinserter.Block] {
        blocks.sorted {
            ($0.key.partition, $0.key.client.high, $0.key.client.low) < (
                $1.key.partition, $1.key.client.high, $1.key.client.low
            )
        }
        .map { key, entry in
            let id = OriginSetToken.id(
                topic: topic, client: key.client, partition: key.partition, offsets: entry.origins.map(\.offset),
                salt: 0)
            let rows = entry.block.seal(
                clientID: key.client, batchID: id, topic: topic, partition: key.partition,
                ingestedAtMilliseconds: nowMilliseconds)
            return Reinserter.Block(
                client: key.client, database: entry.database, partition: key.partition, rows: rows,
                origins: entry.origins)
        }
    }
}
