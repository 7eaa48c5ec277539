import RouterCore

/// Which answers are younger than the last change: the reason why a stale entry in Redis does no harm.
///
/// The race. A router reads a row, a client is suspended, the notification goes out and everyone deletes the entry
/// from Redis; then the slow router writes the row that it read before. Whoever reads Redis now sees a client that is
/// active. Deleting later, or comparing versions on writing, only makes this rarer: the key may be gone when the
/// slow one comes. So nobody relies on what is *not* in Redis. Every entry says when its row was read, by Postgres'
/// own clock (`now()`, which is taken before the statement's snapshot), and a reader believes an entry only if it was
/// read no earlier than a moment that lies after every change this reader knows of:
///
/// - When listening begins, everything may have changed. The first read of Postgres that starts afterwards gives a
///   time T by the same clock; an entry read at T or later is as new as that read, and every change that it does not
///   contain will be heard of.
/// - When a change of a client is heard of, the same holds for that client alone.
/// - While nobody listens, no entry is believed. (Postgres is asked instead; and when it cannot be asked, any entry
///   that is not too old is used as the last thing known.)
///
/// The same counting protects answers on their way: a read that started before a change was heard of is not
/// delivered after it, but repeated.
struct CacheTrust {
    /// Changes of single clients to keep in mind. Beyond it everything counts as changed, which costs one more read.
    static let changeLimit = 10_000

    private struct Change {
        /// The number of the change.
        var number: UInt64
        /// Postgres' clock, microseconds since 1970, at a read that started after the change; nil until there is one.
        var readSinceMicroseconds: Int64?
    }

    private var isListening = false
    private var number: UInt64 = 0
    private var everything = Change(number: 0)
    private var clients: [ClientID: Change] = [:]

    /// Taken before a read starts and shown when its answers are to be delivered.
    struct Ticket {
        fileprivate var number: UInt64
    }

    var ticket: Ticket { Ticket(number: number) }

    mutating func listening(_ isListening: Bool) {
        self.isListening = isListening
        changedAll()
    }

    mutating func changed(_ id: ClientID) {
        number += 1
        if clients.count >= Self.changeLimit && clients[id] == nil {
            changedAll()
        } else {
            clients[id] = Change(number: number)
        }
    }

    mutating func changedAll() {
        number += 1
        clients.removeAll()
        everything = Change(number: number)
    }

    /// True when the client may have changed after the read began: its answer must not be delivered.
    func isOutdated(_ id: ClientID, _ ticket: Ticket) -> Bool {
        everything.number > ticket.number || (clients[id]?.number ?? 0) > ticket.number
    }

    /// The clients that changed after the read began; nil when any may have.
    func changed(since ticket: Ticket) -> [ClientID]? {
        guard everything.number <= ticket.number else { return nil }
        return clients.filter { $0.value.number > ticket.number }.map(\.key)
    }

    /// Postgres was read at this time of its clock, by a statement that was sent after `ticket` was taken.
    mutating func learn(_ ids: [ClientID], readAtMicroseconds: Int64, _ ticket: Ticket) {
        if everything.readSinceMicroseconds == nil && everything.number <= ticket.number {
            everything.readSinceMicroseconds = readAtMicroseconds
        }
        for id in ids {
            guard let change = clients[id], change.readSinceMicroseconds == nil, change.number <= ticket.number
            else { continue }
            clients[id]?.readSinceMicroseconds = readAtMicroseconds
        }
    }

    /// Whether an entry of Redis that was read from Postgres at this time of its clock is as good as asking now.
    func believes(_ id: ClientID, readAtMicroseconds: Int64) -> Bool {
        guard isListening, let everyone = everything.readSinceMicroseconds, readAtMicroseconds >= everyone else {
            return false
        }
        guard let change = clients[id] else { return true }
        guard let since = change.readSinceMicroseconds else { return false }
        return readAtMicroseconds >= since
    }
}
