import Glibc

/// The lines of a file or of standard input, one after the other, without their line feeds. Lines without a byte are
/// left out.
struct LineSource: ~Copyable {
    private static let chunkBytes = 1 << 20

    private let descriptor: Int32
    private let name: String
    private let maxLineBytes: Int
    private var buffer: [UInt8] = []
    private var position = 0
    private var isAtEnd = false
    private var lineNumber = 0

    /// - Parameter path: `-` is standard input.
    init(path: String, maxLineBytes: Int) throws(OperationError) {
        self.maxLineBytes = maxLineBytes
        name = path == "-" ? "standard input" : path
        descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw OperationError("file_unreadable", "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// nil at the end. The slice is valid until the next call.
    mutating func next() throws(OperationError) -> ArraySlice<UInt8>? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let line = buffer[position..<end]
                position = end + 1
                lineNumber += 1
                searched = position
                if line.isEmpty { continue }
                return line
            }
            searched = buffer.count
            guard buffer.count - position <= maxLineBytes else {
                throw OperationError(
                    "line_too_long",
                    "\(name), line \(lineNumber + 1) is longer than \(maxLineBytes) bytes, which is the most that the topic "
                        + "takes (ROUTER_MAX_EVENT_BYTES decides it); the lines before it were sent")
            }
            if isAtEnd {
                guard position < buffer.count else { return nil }
                let line = buffer[position...]
                position = buffer.count
                lineNumber += 1
                return line
            }
            let kept = searched - position
            try readMore()
            searched = position + kept
        }
    }

    private mutating func readMore() throws(OperationError) {
        buffer.removeFirst(position)
        position = 0
        let kept = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.chunkBytes))
        var count = -1
        repeat {
            count = buffer.withUnsafeMutableBytes { bytes in
                read(descriptor, bytes.baseAddress.map { $0 + kept }, Self.chunkBytes)
            }
        } while count < 0 && errno == EINTR
        let problem = count < 0 ? String(cString: strerror(errno)) : nil
        buffer.removeLast(Self.chunkBytes - max(0, count))
        if let problem { throw OperationError("file_unreadable", "\(name) cannot be read on: \(problem)") }
        isAtEnd = count == 0
    }
}
