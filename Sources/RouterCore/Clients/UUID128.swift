/// A UUID as the 128-bit number it is: compared by value, so the case of its text does not matter.
///
/// `Foundation.UUID` would do, but it hashes and compares byte by byte, and this one is looked up for every event.
public struct UUID128: Hashable, Sendable {
    /// The first eight bytes of the text form, most significant first.
    public var high: UInt64
    /// The last eight bytes.
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Identifies a client everywhere: in events, in Postgres, in the name of its ClickHouse database.
public typealias ClientID = UUID128
