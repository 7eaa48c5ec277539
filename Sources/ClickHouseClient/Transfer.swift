import CCurl

#if canImport(Glibc)
    import Glibc
#endif

/// One request under way: owns its curl easy handle and everything that curl reads from or writes to meanwhile. It
/// belongs to the loop's thread.
final class Transfer {
    typealias Completion = @Sendable (ClickHouseAnswer) -> Void

    let easy: UnsafeMutableRawPointer
    let completion: Completion
    private let request: ClickHouseRequest
    /// What is sent when the statement itself is the body.
    private let statementBytes: [UInt8]
    private let bodyBytes: Int
    private var requestHeaders: UnsafeMutablePointer<curl_slist>?
    /// CURLOPT_ERRORBUFFER(3): "You must keep the associated buffer available until libcurl no longer needs it", at
    /// least until the handle is cleaned up, and at least CURL_ERROR_SIZE large.
    private let errorText: UnsafeMutablePointer<CChar>

    private var segmentIndex = 0
    private var segmentPosition = 0
    private var sentBytes = 0

    private var headers = ResponseHeaders()
    private var responseBody: [UInt8] = []
    private var responseIsTooLarge = false

    /// Dead names and addresses show within this time; a working one answers in milliseconds.
    static let connectTimeoutMilliseconds = 5000
    /// How long sent bytes may stay unacknowledged by the peer's kernel before the connection counts as broken. This,
    /// and keep-alive probes, are the guard against a silent peer: libcurl's low-speed limit cannot be it, as no byte
    /// flows while the server works on an INSERT.
    static let unacknowledgedLimitMilliseconds: Int32 = 20_000
    /// An idle connection older than this is not used again. Below the shortest keep-alive that ClickHouse had by
    /// default (3 s): a request that meets the server's closing ends as an unknown outcome, and costs a read-back.
    static let maxIdleSeconds = 2
    /// What is kept of an exception's text; the rest is received and dropped.
    static let maxExceptionBytes = 32 * 1024
    private static let uploadBufferBytes = 512 * 1024

    /// nil when curl has no memory for a handle.
    init?(request: ClickHouseRequest, completion: @escaping Completion) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.request = request
        self.completion = completion
        if case .none = request.body {
            statementBytes = Array(request.sql.utf8)
            bodyBytes = statementBytes.count
        } else {
            statementBytes = []
            bodyBytes = request.body.byteCount
        }
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        // The handle first: it refers to the other two.
        curl_easy_cleanup(easy)
        curl_slist_free_all(requestHeaders)
        errorText.deallocate()
    }

    // MARK: Preparing

    /// Tells curl all about the request. Returns the first refusal: 0 (`CURLE_OK`) when there was none.
    func prepare(endpoint: ClickHouseEndpoint, baseURL: String) -> CURLcode {
        var refusal = CURLE_OK
        func check(_ code: CURLcode) { if refusal == CURLE_OK { refusal = code } }
        func set(_ option: CURLoption, _ value: Int) { check(ccurl_set_long(easy, option, value)) }
        func set(_ option: CURLoption, _ value: String) { check(ccurl_set_string(easy, option, value)) }

        set(CURLOPT_URL, baseURL + "/?" + request.urlQuery)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        // CURLOPT_PROXY(3): "Setting the proxy string to "" (an empty string) explicitly disables the use of a proxy,
        // even if there is an environment variable set for it."
        set(CURLOPT_PROXY, "")
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // CURLOPT_NOSIGNAL(3): without it timeouts of name resolution may use signals, fatal among threads.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_CONNECTTIMEOUT_MS, min(Self.connectTimeoutMilliseconds, max(1, request.timeoutMilliseconds)))
        set(CURLOPT_TIMEOUT_MS, max(1, request.timeoutMilliseconds))
        set(CURLOPT_MAXAGE_CONN, Self.maxIdleSeconds)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 10)
        set(CURLOPT_TCP_KEEPINTVL, 5)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        set(CURLOPT_USERAGENT, "router")
        if !endpoint.user.isEmpty || !endpoint.password.isEmpty {
            // Basic is CURLOPT_HTTPAUTH's default, and sent at once.
            set(CURLOPT_USERNAME, endpoint.user.isEmpty ? "default" : endpoint.user)
            set(CURLOPT_PASSWORD, endpoint.password)
        }
        // No `Expect: 100-continue`: it costs a round trip, and proxies answer it in odd ways.
        for header in ["Expect:", "Content-Type: application/octet-stream"] {
            guard let longer = curl_slist_append(requestHeaders, header) else { return CURLE_OUT_OF_MEMORY }
            requestHeaders = longer
        }
        check(ccurl_set_list(easy, CURLOPT_HTTPHEADER, requestHeaders))
        set(CURLOPT_POST, 1)
        check(ccurl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bodyBytes)))
        set(CURLOPT_UPLOAD_BUFFERSIZE, Self.uploadBufferBytes)
        check(ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText))
        setCallbacks(check)
        return refusal
    }

    private func setCallbacks(_ check: (CURLcode) -> Void) {
        // Unretained: the loop keeps the transfer until curl has forgotten the handle.
        let context = Unmanaged.passUnretained(self).toOpaque()
        for option in [CURLOPT_READDATA, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_SEEKDATA] {
            check(ccurl_set_pointer(easy, option, context))
        }
        check(
            ccurl_set_bytes_callback(easy, CURLOPT_READFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return 0 }
                let target = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
                return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().fill(target)
            })
        check(
            ccurl_set_bytes_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return 0 }
                let source = UnsafeRawBufferPointer(start: bytes, count: size * count)
                return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().receive(source)
            })
        check(
            ccurl_set_bytes_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                guard let bytes, let context else { return 0 }
                let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
                Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().headers.take(line)
                return line.count
            })
        check(
            ccurl_set_seek_callback(easy) { context, _, _ in
                guard let context else { return Int32(CURL_SEEKFUNC_FAIL) }
                return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().rewind()
            })
        check(
            ccurl_set_socket_callback(easy) { _, socket, _ in
                var limit = Transfer.unacknowledgedLimitMilliseconds
                // A kernel without the option costs the guard, not the connection.
                _ = setsockopt(
                    socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, socklen_t(MemoryLayout<Int32>.size))
                return CURL_SOCKOPT_OK
            })
    }

    // MARK: Sending

    /// Fills curl's upload buffer with the next bytes of the body.
    private func fill(_ target: UnsafeMutableRawBufferPointer) -> Int {
        var filled = 0
        switch request.body {
        case .none: filled = copy(statementBytes, to: target)
        case .bytes(let bytes): filled = copy(bytes, to: target)
        case .segments(_, let segments):
            while segmentIndex < segments.count, filled < target.count {
                let segment = segments[segmentIndex]
                let length = min(segment.count - segmentPosition, target.count - filled)
                UnsafeMutableRawBufferPointer(rebasing: target[filled..<filled + length]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: segment[segmentPosition..<segmentPosition + length]))
                filled += length
                segmentPosition += length
                if segmentPosition == segment.count {
                    segmentIndex += 1
                    segmentPosition = 0
                }
            }
        }
        sentBytes += filled
        return filled
    }

    private func copy(_ bytes: [UInt8], to target: UnsafeMutableRawBufferPointer) -> Int {
        let length = min(bytes.count - sentBytes, target.count)
        bytes.withUnsafeBytes {
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sentBytes..<sentBytes + length]))
        }
        return length
    }

    /// curl wants to send the body again: it does so by itself when a connection that was kept alive dies before the
    /// answer. But the server may have read the request and be working on it, and an INSERT is not sent twice without a
    /// look at the table. So this is refused once a byte of the body is out, and the caller gets an unknown outcome.
    private func rewind() -> Int32 {
        sentBytes == 0 ? Int32(CURL_SEEKFUNC_OK) : Int32(CURL_SEEKFUNC_FAIL)
    }

    // MARK: Receiving

    /// Returns how many bytes it took: fewer than given make curl give up.
    private func receive(_ source: UnsafeRawBufferPointer) -> Int {
        if headers.values.exceptionCode != nil {
            responseBody += source.prefix(Self.maxExceptionBytes - min(responseBody.count, Self.maxExceptionBytes))
            return source.count
        }
        guard responseBody.count + source.count <= request.maxResponseBytes else {
            responseIsTooLarge = true
            return 0
        }
        responseBody += source
        return source.count
    }

    // MARK: Judging

    /// The answer, once curl is done with the transfer.
    func answer(_ result: CURLcode) -> ClickHouseAnswer {
        var status = 0
        _ = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        guard result == CURLE_OK else { return .unknown(fault(result, status: status)) }
        let answer = AnswerJudge(status: status, headers: headers.values, body: responseBody).answer()
        if case .acknowledged = answer, sentBytes < bodyBytes {
            return .unknown(
                ClickHouseTransportFault(
                    kind: .foreignAnswer, curlCode: 0,
                    text: "the answer came after \(sentBytes) of the \(bodyBytes) bytes of the request",
                    httpStatus: status, mayHaveReachedServer: true))
        }
        return answer
    }

    /// The answer to a request that the client ends by itself.
    func abandoned(_ text: String) -> ClickHouseAnswer {
        .unknown(
            ClickHouseTransportFault(
                kind: .abandoned, curlCode: 0, text: text, httpStatus: 0, mayHaveReachedServer: mayHaveReachedServer))
    }

    private var mayHaveReachedServer: Bool {
        // CURLINFO_REQUEST_SIZE(3): "the total size of the issued requests". Nothing issued, nothing arrived.
        var requestBytes = 0
        let code = ccurl_get_long(easy, CURLINFO_REQUEST_SIZE, &requestBytes)
        return code != CURLE_OK || requestBytes > 0 || sentBytes > 0
    }

    private func fault(_ result: CURLcode, status: Int) -> ClickHouseTransportFault {
        let kind: ClickHouseTransportFault.Kind =
            switch result {
            case _ where responseIsTooLarge: .responseTooLarge
            case CURLE_OPERATION_TIMEDOUT: .timeout
            case _ where !mayHaveReachedServer: .connect
            default: .broken
            }
        let reported = String(cString: errorText)
        let words = reported.isEmpty ? String(cString: curl_easy_strerror(result)) : reported
        let text =
            kind == .responseTooLarge
            ? "the answer is longer than \(request.maxResponseBytes) bytes"
            : "\(words) (libcurl \(result.rawValue))"
        return ClickHouseTransportFault(
            kind: kind, curlCode: Int(result.rawValue), text: text, httpStatus: status,
            mayHaveReachedServer: mayHaveReachedServer)
    }
}
