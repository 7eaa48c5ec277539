import ClickHouseNative

/// The columns of `events_base` that the router writes, in the order of the block: the one place that says so. The
/// INSERT's list of columns is made from it, so a table may have more columns (a migration's) in any order.
public enum EventColumn: String, CaseIterable, Sendable {
    case eventID = "event_id"
    case clientID = "client_id"
    case eventName = "event_name"
    case userID = "user_id"
    case sessionID = "session_id"
    case eventTimestamp = "event_timestamp"
    case eventProperties = "event_properties"
    case extraFields = "extra_fields"
    case receivedAt = "received_at"
    case ingestedAt = "ingested_at"
    case batchID = "batch_id"
    case sourceTopic = "source_topic"
    case sourcePartition = "source_partition"
    case sourceOffset = "source_offset"

    public var name: String { rawValue }

    /// The type on the wire; `event_name` and `source_topic` are LowCardinality in the table.
    public var type: NativeType {
        switch self {
        case .eventID, .clientID, .batchID: .uuid
        case .eventName, .userID, .sessionID, .eventProperties, .extraFields, .sourceTopic: .string
        case .eventTimestamp, .receivedAt, .ingestedAt: .dateTime64Milliseconds
        case .sourcePartition: .int32
        case .sourceOffset: .int64
        }
    }
}

public enum EventColumns {
    /// `event_id, client_id, …`, for INSERT and SELECT.
    public static let list = EventColumn.allCases.map(\.name).joined(separator: ", ")
}
