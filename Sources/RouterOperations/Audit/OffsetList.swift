/// Offending offsets: all are counted, the first ones are remembered.
struct OffsetList: Sendable {
    struct Entry: Equatable, Sendable {
        var partition: Int32
        var offset: Int64
        var owner: OffsetWindow.Owner?
        /// The number of the database that a misplaced row was found in.
        var database: Int?
    }

    /// Enough for a script to work through; a log that is off by more than this has another problem.
    static let maxListed = 1000

    private(set) var listed: [Entry] = []
    private(set) var total = 0

    mutating func add(_ entry: Entry) {
        total += 1
        if listed.count < Self.maxListed { listed.append(entry) }
    }

    mutating func addUnlisted(_ count: Int) { total += count }

    /// A run of neighbouring offsets.
    struct Run: Equatable, Sendable {
        var partition: Int32
        var offsets: ClosedRange<Int64>

        var text: String {
            offsets.count == 1 ? "\(offsets.lowerBound)" : "\(offsets.lowerBound)-\(offsets.upperBound)"
        }
    }

    /// What is listed, as ranges in its order.
    var runs: [Run] {
        var runs: [Run] = []
        for entry in listed {
            if let last = runs.last, last.partition == entry.partition,
                entry.offset == last.offsets.upperBound || entry.offset == last.offsets.upperBound + 1
            {
                runs[runs.count - 1].offsets = last.offsets.lowerBound...entry.offset
            } else {
                runs.append(Run(partition: entry.partition, offsets: entry.offset...entry.offset))
            }
        }
        return runs
    }
}
