import Glibc

/// Bytes of one event after the other, in memory that is used again.
struct EventText {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(1024) }

    mutating func begin() { bytes.removeAll(keepingCapacity: true) }

    mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    mutating func append(byte: UInt8) { bytes.append(byte) }

    mutating func append(_ number: Int) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    /// Exactly `digits` digits.
    mutating func append(_ number: Int, digits: Int) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    /// An amount of cents, as `12.34`.
    mutating func append(cents: Int) {
        append(cents / 100)
        bytes.append(UInt8(ascii: "."))
        append(cents % 100, digits: 2)
    }

    mutating func append(hex number: UInt64, digits: Int = 16) {
        for shift in stride(from: digits * 4 - 4, through: 0, by: -4) {
            let nibble = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
            bytes.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") - 10 + nibble)
        }
    }

    /// A UUID of version 4 made of these bits.
    mutating func append(uuid high: UInt64, _ low: UInt64) {
        append(hex: high >> 32, digits: 8)
        append(byte: UInt8(ascii: "-"))
        append(hex: high >> 16, digits: 4)
        append("-4")
        append(hex: high, digits: 3)
        append(byte: UInt8(ascii: "-"))
        append(hex: low >> 48 & 0x3FFF | 0x8000, digits: 4)
        append(byte: UInt8(ascii: "-"))
        append(hex: low, digits: 12)
    }

    mutating func removeLast() { if !bytes.isEmpty { bytes.removeLast() } }

    mutating func insertFirst(_ byte: UInt8) { bytes.insert(byte, at: 0) }
}

/// The text of a time, `2026-01-31T12:00:00.123Z`; the part up to the second is made once a second.
struct TimeWriter {
    private var second = Int.min
    private var prefix = EventText()

    mutating func append(milliseconds: Int, to text: inout EventText) {
        let now = milliseconds / 1000
        if now != second {
            second = now
            var parts = tm()
            var seconds = time_t(now)
            gmtime_r(&seconds, &parts)
            prefix.begin()
            prefix.append(Int(parts.tm_year) + 1900, digits: 4)
            prefix.append("-")
            prefix.append(Int(parts.tm_mon) + 1, digits: 2)
            prefix.append("-")
            prefix.append(Int(parts.tm_mday), digits: 2)
            prefix.append("T")
            prefix.append(Int(parts.tm_hour), digits: 2)
            prefix.append(":")
            prefix.append(Int(parts.tm_min), digits: 2)
            prefix.append(":")
            prefix.append(Int(parts.tm_sec), digits: 2)
            prefix.append(".")
        }
        text.append(prefix.bytes)
        text.append(milliseconds % 1000, digits: 3)
        text.append("Z")
    }
}
