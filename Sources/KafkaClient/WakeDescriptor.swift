import CRdkafka
import Glibc

/// An eventfd: any thread may signal it, one thread waits on it.
///
/// A loop over it loses no wake-up when it keeps this order: `drain`, then look at every source until each has nothing
/// more, then `wait`. What arrives after the look has signalled the descriptor again.
public final class WakeDescriptor: Sendable {
    public let descriptor: Int32

    public init() throws(KafkaError) {
        descriptor = crd_eventfd()
        guard descriptor >= 0 else {
            throw KafkaError(code: -1, message: "cannot make an eventfd: \(String(cString: strerror(errno)))")
        }
    }

    /// Wakes the waiting thread, now or when it next waits. Callable from any thread and from a signal handler.
    public func signal() {
        var one: UInt64 = 1
        // The only failure is EAGAIN at a counter of 2^64 - 2, and then the descriptor is readable anyway.
        _ = write(descriptor, &one, 8)
    }

    /// Takes back every signal given so far.
    public func drain() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    /// Waits until it is signalled or the time is over; a signal given before the call counts. It does not drain.
    /// - Returns: true when it is signalled. A signal handler that interrupts the wait ends it early with false.
    @discardableResult
    public func wait(timeoutMilliseconds: Int) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(clamping: max(0, timeoutMilliseconds))) > 0
    }

    deinit { close(descriptor) }
}
