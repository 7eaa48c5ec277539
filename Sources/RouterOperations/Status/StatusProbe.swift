import CCurl
import Foundation

/// Asks a running router's own HTTP endpoint; blocking, with a time limit.
enum StatusProbe {
    static let timeoutMilliseconds = 2_000
    /// A status of ten thousand partitions is two megabytes.
    private static let maxBytes = 16 << 20

    struct Failure: Error, CustomStringConvertible {
        var description: String
        /// Somebody holds the port and says nothing: a process that is frozen, or hangs.
        var isTimeout = false
    }

    /// What the body is collected in while curl runs.
    private final class Body {
        var bytes: [UInt8] = []
    }

    /// The body of a GET that was answered with 200.
    static func get(_ url: String) throws(Failure) -> [UInt8] {
        // curl_easy_init makes the global state where it is missing; the clients of this process have done so before.
        guard let easy = curl_easy_init() else { throw Failure(description: "out of memory") }
        defer { curl_easy_cleanup(easy) }
        let body = Body()
        _ = ccurl_set_string(easy, CURLOPT_URL, url)
        _ = ccurl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        // The router is named by its address, and no proxy of the environment is meant.
        _ = ccurl_set_string(easy, CURLOPT_NOPROXY, "*")
        _ = ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, timeoutMilliseconds)
        _ = ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        // Unretained: `body` outlives the transfer, which ends before this function returns.
        _ = ccurl_set_pointer(easy, CURLOPT_WRITEDATA, Unmanaged.passUnretained(body).toOpaque())
        _ = ccurl_set_bytes_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
            guard body.bytes.count + size * count <= StatusProbe.maxBytes else { return 0 }
            body.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
            return size * count
        }
        let code = withExtendedLifetime(body) { curl_easy_perform(easy) }
        guard code == CURLE_OK else {
            let text =
                code == CURLE_OPERATION_TIMEDOUT
                ? "no answer within \(timeoutMilliseconds / 1000) seconds" : String(cString: curl_easy_strerror(code))
            throw Failure(description: text, isTimeout: code == CURLE_OPERATION_TIMEDOUT)
        }
        var status = 0
        _ = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        guard status == 200 else { throw Failure(description: "HTTP status \(status)") }
        return body.bytes
    }
}
