/// How old an open batch may become.
///
/// An insert is a part on disk and some 20 ms of ClickHouse's CPU, whatever its size. With many clients and partitions
/// a batch a second from each partition would make thousands of tiny inserts, so the age stretches with their number.
public enum BatchAge {
    /// Inserts per second over all partitions: what one core of ClickHouse does beside its merges.
    public static let insertsPerSecond = 50
    /// However many blocks there are, nobody waits longer than this (or than the setting, where that is longer).
    public static let ceilingMilliseconds: Int64 = 10_000

    /// - Parameters:
    ///   - openBlockCount: the blocks that would be inserted if every open batch were sealed now.
    ///   - limitMilliseconds: `ROUTER_BATCH_MAX_AGE_MS`.
    public static func milliseconds(openBlockCount: Int, limitMilliseconds: Int64) -> Int64 {
        let stretched = Int64(openBlockCount) * 1000 / Int64(insertsPerSecond)
        return max(limitMilliseconds, min(stretched, ceilingMilliseconds))
    }
}
