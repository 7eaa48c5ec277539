/// One client's rows of one open batch, kept encoded. Not Sendable: it belongs to the thread that appends.
///
/// A class, so that it can be looked up in a dictionary and appended to in place.
public final class EventBlock {
    private var rows = EventRows()

    public init() {}

    public var rowCount: Int { rows.count }

    /// Bytes written, without the columns that are the same in every row: those are made when the block is sealed.
    public var encodedBytes: Int { rows.encodedBytes }

    /// Bytes taken from the allocator: what the memory budget counts.
    public var allocatedBytes: Int { rows.allocatedBytes }

    /// Appends one row. Rows come in the order of their offsets: ClickHouse's deduplication compares blocks, and a
    /// retried one has to be the same block.
    public func append(_ event: EventFields, receivedAtMilliseconds: Int64, offset: Int64) {
        rows.append(event, receivedAtMilliseconds: receivedAtMilliseconds, offset: offset)
    }

    /// Hands the rows over to an immutable block and leaves this one empty, ready for the next batch.
    public func seal(
        clientID: ClientID, batchID: UUID128, topic: String, partition: Int32, ingestedAtMilliseconds: Int64
    ) -> SealedBlock {
        var taken = EventRows()
        swap(&taken, &rows)
        return SealedBlock(
            rows: taken,
            origin: SealedBlock.Origin(
                clientID: clientID, batchID: batchID, topic: topic, partition: partition,
                ingestedAtMilliseconds: ingestedAtMilliseconds))
    }
}
