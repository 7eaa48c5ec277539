import RouterCore

/// The account of one range of a partition's offsets: which can be read and whose they are, which have a row, and
/// where. Thirteen bytes an offset; a log of any length is taken window by window.
struct OffsetWindow: Sendable {
    /// 13 MiB of memory, and 32 MiB of answer when one client owns them all.
    static let maxOffsets: Int64 = 1 << 20

    /// Whose a record is: the client that it names, when Postgres knows it.
    enum Owner: Equatable, Sendable {
        /// It names no client that exists: it can only be a dead letter.
        case nobody
        /// A client by its number in the audit's list.
        case client(Int)
    }

    /// Why a row that is not there need not be.
    enum Absence: Equatable, Sendable {
        /// Its client's database was dropped, and it was counted before.
        case dropped
        /// It was one of a user's rows that were erased.
        case erased
        /// It was older than its client's table keeps rows.
        case expired
    }

    /// What is found about rows, as it is found.
    struct Misplaced: Equatable, Sendable {
        var offset: Int64
        /// The database by its number in the audit's list.
        var database: Int
        var owner: Owner?
    }

    let range: Range<Int64>
    /// 0: no record; 1: nobody's; n + 2: client n's.
    private var owners: [UInt32]
    private var placed: OffsetBitmap
    private var doubled: OffsetBitmap
    /// Made when the first of them is added: few partitions have any.
    private var dropped: OffsetBitmap?
    private var erased: OffsetBitmap?
    private var expired: OffsetBitmap?
    /// Each record's timestamp: where the topic was made anew, rows of its former log have the same offsets.
    private var times: [Int64]
    private static let noTime = Int64.min
    private(set) var misplaced: [Misplaced] = []
    private(set) var misplacedCount = 0
    private(set) var rowCount = 0
    /// Rows of offsets that hold no record any more (compaction): their place cannot be judged.
    private(set) var rowsWithoutRecord = 0
    /// Rows with another time than the record at their offset: of the log that the topic had before it was made anew.
    private(set) var rowsOfFormerLog = 0

    /// How many misplaced rows a window remembers; more are counted.
    static let maxMisplaced = 10_000

    init(_ range: Range<Int64>) {
        self.range = range
        times = [Int64](repeating: Self.noTime, count: range.count)
        owners = [UInt32](repeating: 0, count: range.count)
        placed = OffsetBitmap(count: range.count)
        doubled = OffsetBitmap(count: range.count)
    }

    /// - Parameter mayHaveExpired: the event is older than its client's table keeps rows, or once kept them.
    mutating func addRecord(
        offset: Int64, owner: Owner, timeMilliseconds: Int64? = nil, mayHaveExpired: Bool = false
    ) {
        guard let index = index(offset) else { return }
        times[index] = timeMilliseconds ?? Self.noTime
        switch owner {
        case .nobody: owners[index] = 1
        case .client(let number): owners[index] = UInt32(number) + 2
        }
        if mayHaveExpired { Self.insert(index, into: &expired, count: range.count) }
    }

    /// Rows of a client that were counted and then removed. To be called when all records are added: only offsets whose
    /// record is this client's count.
    mutating func addRemoved(_ offsets: ClosedRange<Int64>, client number: Int, isErasure: Bool) {
        let lower = max(offsets.lowerBound, range.lowerBound)
        let upper = min(offsets.upperBound, range.upperBound - 1)
        guard lower <= upper else { return }
        for offset in lower...upper {
            let index = Int(offset - range.lowerBound)
            guard owner(at: index) == .client(number) else { continue }
            if isErasure {
                Self.insert(index, into: &erased, count: range.count)
            } else {
                Self.insert(index, into: &dropped, count: range.count)
            }
        }
    }

    private static func insert(_ index: Int, into bitmap: inout OffsetBitmap?, count: Int) {
        if bitmap == nil { bitmap = OffsetBitmap(count: count) }
        bitmap?.insert(index)
    }

    /// - Parameters:
    ///   - database: where the row was found, by its number; it comes back with the finding.
    ///   - databaseClient: whose database that is; nil when it is nobody's.
    ///   - rowClient: whose the row says to be in `client_id`; nil when that is no client.
    ///   - timeMilliseconds: its `received_at`.
    mutating func addRow(
        offset: Int64, database: Int, databaseClient: Int?, rowClient: Int?, timeMilliseconds: Int64? = nil
    ) {
        guard let index = index(offset) else { return }
        guard PartitionOrigin.mayBeSame(timeMilliseconds, time(at: index)) else {
            rowsOfFormerLog += 1
            return
        }
        rowCount += 1
        let owner = owner(at: index)
        let isPlaced: Bool
        switch owner {
        case nil:
            rowsWithoutRecord += 1
            isPlaced = databaseClient != nil
        case .nobody: isPlaced = false
        case .client(let number): isPlaced = databaseClient == number && rowClient == number
        }
        guard isPlaced else {
            misplacedCount += 1
            if misplaced.count < Self.maxMisplaced {
                misplaced.append(Misplaced(offset: offset, database: database, owner: owner))
            }
            return
        }
        if placed.insert(index) { doubled.insert(index) }
    }

    /// What became of one offset that can be read.
    struct Verdict: Equatable, Sendable {
        var offset: Int64
        /// nil when there is no record (a hole), and only `isDoubled` means something.
        var owner: Owner?
        /// Its record's timestamp; nil where it has none.
        var timeMilliseconds: Int64?
        /// Has a row where it belongs.
        var isDelivered: Bool
        /// Has more than one there.
        var isDoubled: Bool
        /// Why it need not have a row, when it has none.
        var absence: Absence?
    }

    /// Calls `body` for every offset that can be read or has a row twice, in order.
    func forEachVerdict(_ body: (Verdict) -> Void) {
        for index in owners.indices {
            let owner = owner(at: index)
            guard owner != nil || doubled[index] else { continue }
            body(
                Verdict(
                    offset: range.lowerBound + Int64(index), owner: owner, timeMilliseconds: time(at: index),
                    isDelivered: placed[index], isDoubled: doubled[index],
                    absence: placed[index] ? nil : absence(at: index)))
        }
    }

    private func absence(at index: Int) -> Absence? {
        if dropped?[index] == true { return .dropped }
        if erased?[index] == true { return .erased }
        return expired?[index] == true ? .expired : nil
    }

    private func time(at index: Int) -> Int64? { times[index] == Self.noTime ? nil : times[index] }

    private func owner(at index: Int) -> Owner? {
        switch owners[index] {
        case 0: nil
        case 1: .nobody
        case let number: .client(Int(number) - 2)
        }
    }

    private func index(_ offset: Int64) -> Int? {
        range.contains(offset) ? Int(offset - range.lowerBound) : nil
    }
}
