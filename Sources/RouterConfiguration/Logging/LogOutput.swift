import Foundation
import Synchronization

/// Where log lines go. Standard output is for a command's result, so it is standard error.
///
/// One `write` a line under a lock: lines of two threads do not mix.
final class LogOutput: Sendable {
    static let standardError = LogOutput(descriptor: STDERR_FILENO)

    private let descriptor: Int32
    private let lock = Mutex(())

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// A line that cannot be written is dropped: there is no better place to complain, and a full disk must not stop
    /// the router.
    func write(_ line: String) {
        lock.withLock { _ in _ = StandardStream.write(line, to: descriptor) }
    }
}
