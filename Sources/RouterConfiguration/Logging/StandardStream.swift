import Foundation

/// Text to standard output or standard error, whole or not at all.
public enum StandardStream {
    /// Writes all of it; what cannot be written is dropped. A reader that went away (`router client list | head -1`) is no
    /// fault: SIGPIPE ends the process by default. For a full disk there is no better place to complain.
    public static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while let start = rest.baseAddress, !rest.isEmpty {
                let count = Foundation.write(descriptor, start, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}
