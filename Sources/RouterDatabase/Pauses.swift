import PostgresClient
import RouterCore

/// A pause that holds: of one partition, or of one client.
public struct Pause: Sendable, Equatable {
    public var reason: String
    public var by: String
    /// RFC 3339, UTC.
    public var at: String
}

/// What is held back now, as one consumer group sees it.
public struct Pauses: Sendable, Equatable {
    public var partitions: [Int32: Pause] = [:]
    public var clients: [ClientID: Pause] = [:]

    public init() {}

    public var isEmpty: Bool { partitions.isEmpty && clients.isEmpty }

    static let columns = """
        client_id, topic, partition, reason, paused_by,
        to_char(paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS paused_at
        """

    /// Reads what holds for this group and topic, and the clients, whose pauses hold for every group.
    public static func read(
        _ connection: PostgresConnection, group: String, topic: String
    ) throws(PostgresError) -> Pauses {
        let result = try connection.query(
            """
            SELECT \(columns) FROM public.pauses
             WHERE resumed_at IS NULL AND (client_id IS NOT NULL OR (group_id = $1 AND topic = $2))
            """, [group, topic])
        var pauses = Pauses()
        for row in result.rows {
            let pause = try Pause(
                reason: row.required("reason"), by: row.required("paused_by"), at: row.required("paused_at"))
            if let id = row["client_id"].flatMap({ ClientID($0) }) {
                pauses.clients[id] = pause
            } else if let partition = row["partition"].flatMap({ Int32($0) }) {
                pauses.partitions[partition] = pause
            }
        }
        return pauses
    }
}

/// What is paused or resumed.
public enum PauseSubject: Sendable, Equatable {
    case client(ClientID)
    case partition(group: String, topic: String, Int32)

    /// Statement parameters `$1` to `$4`.
    fileprivate var parameters: [String?] {
        switch self {
        case .client(let id): [id.description, nil, nil, nil]
        case .partition(let group, let topic, let partition): [nil, group, topic, String(partition)]
        }
    }

    fileprivate static let matches = """
        (client_id = $1::uuid OR (group_id = $2 AND topic = $3 AND partition = $4::int)) AND resumed_at IS NULL
        """
}

extension Pauses {
    /// Pauses the subject.
    /// - Returns: false when it is paused already: who, when and why stay as they are.
    public static func pause(
        _ subject: PauseSubject, reason: String, by: String, _ connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        try connection.execute(
            """
            INSERT INTO public.pauses (client_id, group_id, topic, partition, reason, paused_by)
            VALUES ($1::uuid, $2, $3, $4::int, $5, $6) ON CONFLICT DO NOTHING
            """, subject.parameters + [reason, by]) == 1
    }

    /// Ends the subject's pause.
    /// - Returns: false when it was not paused.
    public static func resume(
        _ subject: PauseSubject, by: String, _ connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        try connection.execute(
            "UPDATE public.pauses SET resumed_at = now(), resumed_by = $5 WHERE \(PauseSubject.matches)",
            subject.parameters + [by]) > 0
    }
}
