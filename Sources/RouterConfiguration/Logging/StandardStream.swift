import Foundation

/// Text to standard output or standard error.
public enum StandardStream {
    /// Writes all of it, or up to the first error: what is left then is dropped.
    ///
    /// - Parameter waitsForRoom: where the descriptor does not block (a terminal that another program has set so), wait
    ///   until it takes more. Without it the rest is dropped: a log that nobody reads must not hold up the router.
    /// - Returns: 0 when all was written, else the error's number. EPIPE, a reader that went away, is told only where
    ///   SIGPIPE is ignored; else the signal ends the process.
    @discardableResult
    public static func write(_ text: String, to descriptor: Int32, waitsForRoom: Bool = false) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let start = rest.baseAddress, !rest.isEmpty {
                let count = Foundation.write(descriptor, start, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    continue
                }
                let number = count < 0 ? errno : EIO
                if number == EINTR { continue }
                guard waitsForRoom, number == EAGAIN || number == EWOULDBLOCK else { return number }
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&room, 1, -1)
            }
            return 0
        }
    }
}
