/// What is known of one client that was asked for.
///
/// A question has exactly one final answer (`found` or `absent`), however long Postgres is away. Before it, the
/// other two may come: they say that the wait goes on, and what there is to go on with meanwhile.
public enum ClientAnswer: Sendable {
    /// Final: the row as Postgres held it that many milliseconds ago.
    case found(ClientEntry, ageMilliseconds: Int64)
    /// Final: Postgres has no such client.
    case absent
    /// Not final: Postgres cannot be asked; this is what Redis remembers.
    case lastKnown(ClientEntry, ageMilliseconds: Int64)
    /// Not final: Postgres cannot be asked, for the reason given, and Redis knows nothing.
    case unavailable(String)
}

/// What the source of clients (Postgres with Redis before it) tells the thread that holds the `ClientDirectory`.
///
/// The order matters and is kept: an answer that comes after `changed` was read after the change.
public enum ClientSourceEvent: Sendable {
    case answered([(ClientID, ClientAnswer)])
    /// The row was inserted, updated or deleted.
    case changed(ClientID)
    /// Any row may have changed: Postgres was not listened to for a while, or the table was emptied.
    case changedAll
    /// Whether changes are heard of as they happen.
    case listening(Bool)
    /// Every change that was committed before this moment of the monotonic clock has been told. A moment and not an
    /// age: a message that lay in a frozen process for an hour must not pass for news.
    case heard(atMilliseconds: Int64)
    /// All clients there are, with those that changed since the reading began.
    case roster(ClientRoster)
    /// Whether Postgres answers, and the error's text when it does not.
    case postgres(reachable: Bool, String)
    /// Something a person should read, such as a row that cannot be used. For the log.
    case problem(String)
}
