import Glibc

/// The two clocks of the service. The core has none: it is told the time.
enum Clock {
    /// Milliseconds that go on while the process is frozen and the machine sleeps, so that a lease ends in either.
    static func monotonicMilliseconds() -> Int64 { read(CLOCK_BOOTTIME) }

    /// Milliseconds since 1970, UTC.
    static func wallMilliseconds() -> Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
