/// One bit for each of `count` offsets: a million of them are 128 KiB.
struct OffsetBitmap: Sendable {
    private var words: [UInt64]
    let count: Int

    init(count: Int) {
        self.count = max(0, count)
        words = [UInt64](repeating: 0, count: (self.count + 63) / 64)
    }

    /// - Precondition: `0 ..< count` holds the index, here and below.
    subscript(_ index: Int) -> Bool { words[index >> 6] & 1 << UInt64(index & 63) != 0 }

    /// - Returns: whether the bit was set before.
    @discardableResult
    mutating func insert(_ index: Int) -> Bool {
        let bit: UInt64 = 1 << UInt64(index & 63)
        defer { words[index >> 6] |= bit }
        return words[index >> 6] & bit != 0
    }
}
