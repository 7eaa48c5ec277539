/// Where a client stands in its life; the raw values are those of the Postgres column `clients.status`.
public enum ClientStatus: String, Sendable, CaseIterable, Codable {
    case pending
    case active
    case suspended
    case deprovisioned
}

/// What the router must know of a client to judge and place its events: one row of Postgres' `clients`.
public struct ClientEntry: Sendable {
    public var id: ClientID
    public var status: ClientStatus
    public var keyHash: KeyHash
    /// The key before a rotation, good until `previousKeyExpiresAtMilliseconds`.
    public var previousKeyHash: KeyHash?
    /// Milliseconds since 1970, UTC.
    public var previousKeyExpiresAtMilliseconds: Int64
    /// The only database that this client's rows may go to.
    public var databaseName: String

    public init(
        id: ClientID, status: ClientStatus, keyHash: KeyHash, previousKeyHash: KeyHash? = nil,
        previousKeyExpiresAtMilliseconds: Int64 = 0, databaseName: String
    ) {
        self.id = id
        self.status = status
        self.keyHash = keyHash
        self.previousKeyHash = previousKeyHash
        self.previousKeyExpiresAtMilliseconds = previousKeyExpiresAtMilliseconds
        self.databaseName = databaseName
    }
}
