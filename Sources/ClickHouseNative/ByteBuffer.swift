#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A growable run of raw bytes, the body of one column.
///
/// `[UInt8]` would check uniqueness and bounds on every append and cannot be handed out without a closure; this one has
/// exactly one owner, which frees it, and its bytes keep their address once nothing is appended any more.
public struct ByteBuffer: ~Copyable {
    /// nil until the first append: an empty column costs no memory.
    @usableFromInline var base: UnsafeMutableRawPointer?
    /// Bytes written.
    public private(set) var count = 0
    /// Bytes taken from the allocator.
    public private(set) var capacity = 0

    /// The first allocation. A thousand clients times dozens of partitions hold nine of these each, most of them with a
    /// few rows, so it is small.
    public static let firstCapacityBytes = 64

    /// Up to here the capacity doubles, above it grows by half: what is allocated but not yet written counts against
    /// the memory budget, and at this size realloc moves pages and not bytes.
    static let doublingLimitBytes = 256 * 1024

    public init() {}

    deinit { free(base) }

    /// The bytes written so far. They move on the next append and die with the buffer.
    public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(base), count: count)
    }

    /// Makes room for `extra` more bytes.
    @inlinable
    public mutating func reserve(_ extra: Int) {
        if extra > capacity - count { grow(by: extra) }
    }

    /// Out of line: the append itself stays small enough to be inlined.
    @usableFromInline
    mutating func grow(by extra: Int) {
        let (needed, overflow) = count.addingReportingOverflow(extra)
        precondition(!overflow, "a column of more than 2^63 bytes")
        let larger = capacity < Self.doublingLimitBytes ? capacity * 2 : capacity + capacity / 2
        resize(to: max(needed, larger, Self.firstCapacityBytes))
    }

    /// Takes exactly as much memory as needed, for a buffer whose final size is known.
    public mutating func reserveExactly(_ total: Int) {
        if total > capacity { resize(to: total) }
    }

    private mutating func resize(to newCapacity: Int) {
        // realloc(3): "If ptr is NULL, then the call is equivalent to malloc(size)".
        guard let moved = realloc(base, newCapacity) else {
            fatalError("out of memory: \(newCapacity) bytes for a column")
        }
        base = moved
        capacity = newCapacity
    }

    /// Appends bytes as they are.
    @inlinable
    public mutating func append(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress, source.count > 0 else { return }
        reserve(source.count)
        // `reserve` has left a base behind, as the count is above zero.
        base.unsafelyUnwrapped.advanced(by: count).copyMemory(from: start, byteCount: source.count)
        advance(by: source.count)
    }

    /// Appends an integer, little-endian as ClickHouse wants every number.
    @inlinable
    public mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        base.unsafelyUnwrapped.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
        advance(by: MemoryLayout<T>.size)
    }

    /// Appends an unsigned LEB128 number: ClickHouse's VarUInt, one to ten bytes.
    @inlinable
    public mutating func appendVarint(_ value: Int) {
        var rest = UInt64(bitPattern: Int64(value))
        reserve(10)
        while rest >= 0x80 {
            base.unsafelyUnwrapped.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            advance(by: 1)
            rest >>= 7
        }
        base.unsafelyUnwrapped.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        advance(by: 1)
    }

    @usableFromInline
    mutating func advance(by bytes: Int) { count += bytes }
}
