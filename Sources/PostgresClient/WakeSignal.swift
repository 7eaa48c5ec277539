import Glibc

/// Something another thread can raise to end a wait in `poll(2)`: the waiting thread watches the socket and this.
///
/// It stays raised until `clear()`, so one that is raised before the wait begins is not missed.
public final class WakeSignal: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    /// Fails only when the process has no file descriptors left; the signal then never wakes anyone and waits run
    /// into their time limits instead.
    public init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            for end in ends {
                // Non-blocking: raising a signal that is raised already must not wait for a reader.
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        if readEnd >= 0 { close(readEnd) }
        if writeEnd >= 0 { close(writeEnd) }
    }

    public func raise() {
        var byte: UInt8 = 1
        // A full pipe is refused with EAGAIN and is raised all the same.
        _ = write(writeEnd, &byte, 1)
    }

    public func clear() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(readEnd, &bytes, 16) == 16 {}
    }

    /// Waits until the signal is raised, and returns false when the time is up first. Negative waits without limit.
    @discardableResult
    public func wait(timeoutMilliseconds: Int32) -> Bool {
        var watched = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, timeoutMilliseconds) > 0
    }

    enum Readiness { case ready, interrupted, timedOut }

    /// Waits until `socket` is ready for `events` (of `poll(2)`), the signal is raised, or `deadline` has come.
    static func wait(socket: Int32, events: Int32, interrupt: WakeSignal?, until deadline: Deadline) -> Readiness {
        // poll(2) passes over entries with a negative descriptor.
        var watched = [
            pollfd(fd: socket, events: Int16(events), revents: 0),
            pollfd(fd: interrupt?.readEnd ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = poll(&watched, 2, deadline.remainingMilliseconds)
            if count > 0 { return watched[1].revents != 0 ? .interrupted : .ready }
            // EINTR: a signal handler ran; the deadline still stands.
            if count == 0 && deadline.isPast { return .timedOut }
            if count < 0 && errno != EINTR { return .ready }
        }
    }
}

/// A point on the monotonic clock, so that a change of the wall clock neither ends nor prolongs a wait.
struct Deadline {
    private let atMilliseconds: Int64

    init(inMilliseconds milliseconds: Int) {
        atMilliseconds = Self.now() &+ Int64(milliseconds)
    }

    var isPast: Bool { Self.now() >= atMilliseconds }

    /// Never negative: poll(2) takes a negative time as "no limit".
    var remainingMilliseconds: Int32 { Int32(clamping: max(0, atMilliseconds &- Self.now())) }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
