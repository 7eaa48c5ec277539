/// Some of the rows of one block, named by their index in it, in the order of their offsets.
public struct RowSet: Equatable, Sendable {
    /// nil stands for every row of the block, which is the usual case and costs nothing.
    public private(set) var indices: [Int32]?
    public private(set) var count: Int

    public init(all count: Int) {
        self.indices = nil
        self.count = count
    }

    /// `indices` ascending and without repeats.
    public init(_ indices: [Int32]) {
        self.indices = indices
        self.count = indices.count
    }

    public var isEmpty: Bool { count == 0 }

    /// Every index, ascending.
    public var rows: [Int32] { indices ?? (0..<Int32(count)).map { $0 } }

    /// These rows without those of `other`.
    public func subtracting(_ other: RowSet) -> RowSet {
        if isEmpty || other.isEmpty { return self }
        if other.indices == nil { return RowSet([]) }
        let gone = Set(other.rows)
        let kept = rows.filter { !gone.contains($0) }
        return kept.count == count ? self : RowSet(kept)
    }

    /// These rows that are in `other` too.
    public func intersection(_ other: RowSet) -> RowSet {
        if other.indices == nil && other.count >= count && indices == nil { return self }
        let there = Set(other.rows)
        return RowSet(rows.filter { there.contains($0) })
    }
}
