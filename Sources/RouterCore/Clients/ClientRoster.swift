/// The ids of all clients as one statement read them, kept complete by the changes heard of since.
///
/// It may hold an id too many (a client that was deleted, or one that merely changed), and never one too few: what is
/// not in it did not exist when it was read, nor up to the last moment to which changes were heard of. That is what
/// makes a flood of made-up ids cheap: they are refused by a look into a set, and reach neither Redis nor Postgres.
public struct ClientRoster: Sendable {
    /// As many clients as `ClientDirectory` remembers. 16 bytes each: at most 4 MB, and 3.6 MB of text in the
    /// statement's answer. With more of them there is no roster, and ids are asked for one by one again, at a bounded pace.
    public static let clientLimit = 100_000

    /// When the statement that read it began, on the owner's monotonic clock.
    public let readAtMilliseconds: Int64
    private let limit: Int
    private var ids: Set<ClientID>

    /// nil when there are more clients than the limit.
    public init?(_ ids: Set<ClientID>, readAtMilliseconds: Int64, limit: Int = clientLimit) {
        guard ids.count <= limit else { return nil }
        self.ids = ids
        self.readAtMilliseconds = readAtMilliseconds
        self.limit = limit
    }

    public var count: Int { ids.count }

    public func contains(_ id: ClientID) -> Bool { ids.contains(id) }

    /// The client may exist from now on.
    /// - Returns: false when there is no room for it: the roster is not complete any more, and to be thrown away.
    public mutating func insert(_ id: ClientID) -> Bool {
        ids.insert(id)
        return ids.count <= limit
    }

    /// Postgres was asked after the last change of this id, and has no such client.
    public mutating func remove(_ id: ClientID) { ids.remove(id) }
}
