/// The SHA-256 of an API key: 32 bytes in four words, most significant first.
///
/// It has no `Equatable` on purpose: `==` might leave early, and how early tells an attacker how much was right.
public struct KeyHash: Sendable {
    public var w0: UInt64
    public var w1: UInt64
    public var w2: UInt64
    public var w3: UInt64

    @inlinable
    public init(_ w0: UInt64, _ w1: UInt64, _ w2: UInt64, _ w3: UInt64) {
        self.w0 = w0
        self.w1 = w1
        self.w2 = w2
        self.w3 = w3
    }

    /// Compares in time that does not depend on where the two differ.
    @inlinable
    public func matches(_ other: KeyHash) -> Bool {
        ((w0 ^ other.w0) | (w1 ^ other.w1) | (w2 ^ other.w2) | (w3 ^ other.w3)) == 0
    }
}
