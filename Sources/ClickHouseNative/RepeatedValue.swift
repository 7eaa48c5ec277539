/// A column in which every row has the same value: the value is written for some rows, once, and those bytes are sent
/// as often as needed. The format has no constant columns, but the memory for one need not be paid.
public enum RepeatedValue {
    /// How much is written out at most: long enough for few segments, little beside any block that repeats it.
    public static let maxWrittenBytes = 64 * 1024

    /// For how many rows a value is written out in a column of `rows`; at least one, even of a longer value.
    public static func rowsWritten(valueBytes: Int, rows: Int) -> Int {
        min(rows, max(1, maxWrittenBytes / max(1, valueBytes)))
    }

    /// The segments of a column of `rows` rows, made of a buffer that holds the value `rowsWritten` times.
    public static func appendSegments(
        of written: UnsafeRawBufferPointer, valueBytes: Int, rows: Int, to segments: inout [UnsafeRawBufferPointer]
    ) {
        var bytesLeft = valueBytes * rows
        while bytesLeft > 0, written.count > 0 {
            let length = min(bytesLeft, written.count)
            segments.append(UnsafeRawBufferPointer(rebasing: written[..<length]))
            bytesLeft -= length
        }
    }
}
