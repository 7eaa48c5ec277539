/// Memory that is used again for every event. It grows to the largest event seen, which the payload limit bounds.
struct ScratchBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init() {
        memory = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    /// Forgets what is in it and makes room for `capacity` bytes. Nothing moves until the next call.
    @inline(__always)
    mutating func reset(capacity: Int) {
        count = 0
        if capacity > memory.count { grow(to: capacity) }
    }

    @inline(never)
    private mutating func grow(to capacity: Int) {
        var size = memory.count
        while size < capacity { size *= 2 }
        memory.deallocate()
        memory = .allocate(byteCount: size, alignment: 16)
    }

    /// Appends as many of `bytes` as there is room for; the caller has reserved enough.
    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let length = min(bytes.count, memory.count - count)
        guard let source = bytes.baseAddress, let target = memory.baseAddress, length > 0 else { return }
        (target + count).copyMemory(from: source, byteCount: length)
        count += length
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        guard count < memory.count else { return }
        memory[count] = byte
        count += 1
    }

    /// What was appended since the last reset.
    var contents: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Appends what `fill` writes at the pointer it is given, and returns it; nil when `fill` returns nil.
    ///
    /// - Parameter maxBytes: the most that `fill` writes; the caller has reserved enough.
    mutating func append(
        maxBytes: Int, _ fill: (UnsafeMutableRawPointer) -> Int?
    ) -> UnsafeRawBufferPointer? {
        precondition(maxBytes <= memory.count - count, "scratch memory was not reserved")
        guard let base = memory.baseAddress, let written = fill(base + count) else { return nil }
        defer { count += written }
        return UnsafeRawBufferPointer(start: base + count, count: written)
    }
}
