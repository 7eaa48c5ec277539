import RouterCore

/// The clients that were asked for and have no final answer yet, each once.
struct RequestQueue {
    struct Request {
        var id: ClientID
        /// False once the asker was told that the wait goes on.
        var isNew: Bool
    }

    /// One statement, one MGET: large enough for a start with a thousand clients, small enough to answer in no time.
    static let batchLimit = 1_000

    private var open: Set<ClientID> = []
    /// Not asked yet, or to be asked again at once.
    private var incoming: [ClientID] = []
    /// Could not be answered; asked again when Postgres is tried again.
    private var waiting: [ClientID] = []
    /// In no roster: asked for when the next one is read.
    private var strays: [Request] = []

    var count: Int { open.count }
    var hasWaiting: Bool { !waiting.isEmpty }
    var hasStrays: Bool { !strays.isEmpty }

    mutating func add(_ ids: [ClientID]) {
        for id in ids where open.insert(id).inserted { incoming.append(id) }
    }

    mutating func take(includingWaiting: Bool) -> [Request] {
        let new = incoming.prefix(Self.batchLimit)
        incoming.removeFirst(new.count)
        var requests = new.map { Request(id: $0, isNew: true) }
        if includingWaiting {
            let old = waiting.prefix(Self.batchLimit - requests.count)
            waiting.removeFirst(old.count)
            requests += old.map { Request(id: $0, isNew: false) }
        }
        return requests
    }

    /// The questions that wait for a roster, at most `limit` of them.
    mutating func takeStrays(limit: Int = .max) -> [Request] {
        let taken = Array(strays.prefix(limit))
        strays.removeFirst(taken.count)
        return taken
    }

    mutating func finish(_ id: ClientID) { open.remove(id) }
    mutating func putBack(_ id: ClientID) { incoming.append(id) }
    mutating func setAside(_ requests: [Request]) { strays += requests }
    mutating func park(_ ids: [ClientID]) { waiting += ids }
}
