import CCurl
import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The thread on which all of curl happens: it takes requests from an inbox, keeps at most `connections` of them under
/// way, and calls completions.
///
/// `@unchecked Sendable`: `inbox` is behind a mutex; `active` and the handles in it are touched by the loop's thread
/// only; `multi` is used from other threads for nothing but `curl_multi_wakeup`, which libcurl allows ("can be called
/// from any thread"), and under the inbox's mutex, so never after its cleanup.
final class TransferLoop: @unchecked Sendable {
    /// More waiting requests than this are a fault of the caller, who bounds what it has outstanding.
    static let maxWaitingRequests = 10_000
    /// The longest wait without a look at the inbox; every submission wakes the loop anyway.
    private static let pollMilliseconds: Int32 = 10_000

    private struct Waiting {
        var request: ClickHouseRequest
        var completion: Transfer.Completion
        /// On a clock that also runs while the process is stopped.
        var latestStart: ContinuousClock.Instant?
    }

    private struct Inbox {
        var waiting: ArraySlice<Waiting> = []
        var isStopping = false
    }

    private let inbox = Mutex(Inbox())
    private let endpoint: ClickHouseEndpoint
    /// nil when host and port do not make a URL: then every request is answered so.
    private let baseURL: String?
    private let connections: Int
    private let multi: UnsafeMutableRawPointer
    private var active: [UnsafeMutableRawPointer: Transfer] = [:]
    private let thread = DispatchGroup()
    private let threadID = Mutex<pthread_t?>(nil)

    /// curl_global_init(3) wants to be called once; a global is initialised once, whichever thread comes first.
    private static let globalInit: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    init(endpoint: ClickHouseEndpoint, connections: Int) {
        _ = Self.globalInit
        guard let multi = curl_multi_init() else { fatalError("libcurl: out of memory") }
        self.multi = multi
        self.endpoint = endpoint
        self.connections = max(1, connections)
        self.baseURL = Self.baseURL(endpoint)
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, self.connections)
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, self.connections)
        // One request a connection: HTTP/2 streams would share the fate of one socket.
        _ = ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
    }

    // MARK: From any thread

    func start() {
        thread.enter()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var id = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &id, &attributes,
            { context in
                guard let context else { return nil }
                let loop = Unmanaged<TransferLoop>.fromOpaque(context).takeRetainedValue()
                loop.threadID.withLock { $0 = pthread_self() }
                loop.run()
                loop.thread.leave()
                return nil
            }, context)
        guard code == 0 else { fatalError("no thread for the ClickHouse client: error \(code)") }
    }

    func submit(_ request: ClickHouseRequest, completion: @escaping Transfer.Completion) {
        let latestStart = request.startWithinMilliseconds.map { ContinuousClock.now + .milliseconds($0) }
        let refusal: String? = inbox.withLock { inbox in
            if inbox.isStopping { return "the ClickHouse client is shut down" }
            if inbox.waiting.count >= Self.maxWaitingRequests {
                return "\(inbox.waiting.count) requests are waiting for a connection already"
            }
            inbox.waiting.append(Waiting(request: request, completion: completion, latestStart: latestStart))
            curl_multi_wakeup(multi)
            return nil
        }
        if let refusal { completion(Self.notSent(refusal)) }
    }

    /// Asks the thread to end; it answers everything that waits or is under way first.
    func stop() {
        inbox.withLock { inbox in
            if inbox.isStopping { return }
            inbox.isStopping = true
            curl_multi_wakeup(multi)
        }
    }

    /// Waits for the end of the thread, unless called on it.
    func join() {
        let own = pthread_self()
        if threadID.withLock({ $0.map { pthread_equal($0, own) != 0 } ?? false }) { return }
        thread.wait()
    }

    // MARK: On the loop's thread

    private func run() {
        while true {
            let (starting, isStopping) = takeWaiting()
            if isStopping { break }
            let expected = active.count + starting.count
            for waiting in starting { begin(waiting) }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finishTransfers()
            // A transfer that has ended, or never began, has left its connection to the next one in the inbox.
            if active.count == expected { curl_multi_poll(multi, nil, 0, Self.pollMilliseconds, nil) }
        }
        abandonAll()
    }

    private func takeWaiting() -> ([Waiting], isStopping: Bool) {
        inbox.withLock { inbox in
            if inbox.isStopping { return ([], true) }
            let count = min(inbox.waiting.count, connections - active.count)
            if count <= 0 { return ([], false) }
            let taken = Array(inbox.waiting.prefix(count))
            inbox.waiting.removeFirst(count)
            // A slice keeps what it was cut from: let go of the requests that have been taken.
            inbox.waiting = ArraySlice(Array(inbox.waiting))
            return (taken, false)
        }
    }

    private func begin(_ waiting: Waiting) {
        func refuse(_ text: String, _ code: UInt32 = 0) {
            waiting.completion(
                .unknown(
                    ClickHouseTransportFault(
                        kind: .badRequest, curlCode: Int(code), text: text, httpStatus: 0, mayHaveReachedServer: false))
            )
        }
        if let latest = waiting.latestStart, ContinuousClock.now > latest {
            return waiting.completion(Self.notSent("no connection was free within the time the request had to start"))
        }
        guard let baseURL else { return refuse("\(endpoint) is not an address: check the host and port of ClickHouse") }
        guard let transfer = Transfer(request: waiting.request, completion: waiting.completion) else {
            return refuse("libcurl has no memory for another request")
        }
        let code = transfer.prepare(endpoint: endpoint, baseURL: baseURL)
        guard code == CURLE_OK else { return refuse(String(cString: curl_easy_strerror(code)), code.rawValue) }
        let added = curl_multi_add_handle(multi, transfer.easy)
        guard added == CURLM_OK else { return refuse(String(cString: curl_multi_strerror(added))) }
        active[transfer.easy] = transfer
    }

    /// Answers what has ended.
    private func finishTransfers() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            // curl_multi_info_read(3): what the pointer refers to does not survive curl_multi_remove_handle.
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            let result = message.pointee.data.result
            guard let transfer = active.removeValue(forKey: easy) else { continue }
            curl_multi_remove_handle(multi, easy)
            transfer.completion(transfer.answer(result))
        }
    }

    private func abandonAll() {
        let waiting = inbox.withLock { inbox in
            let waiting = inbox.waiting
            inbox.waiting = []
            return waiting
        }
        for one in waiting { one.completion(Self.notSent("the ClickHouse client was shut down")) }
        for (easy, transfer) in active {
            let answer = transfer.abandoned("the ClickHouse client was shut down while the request was under way")
            curl_multi_remove_handle(multi, easy)
            transfer.completion(answer)
        }
        active = [:]
    }

    /// Nobody can call `curl_multi_wakeup` any more.
    deinit { curl_multi_cleanup(multi) }

    private static func notSent(_ text: String) -> ClickHouseAnswer {
        .unknown(
            ClickHouseTransportFault(
                kind: .abandoned, curlCode: 0, text: text, httpStatus: 0, mayHaveReachedServer: false))
    }

    /// `http://host:port`, put together and checked by curl's own parser: a host with a slash, a space or a user in it
    /// does not pass.
    private static func baseURL(_ endpoint: ClickHouseEndpoint) -> String? {
        guard (1...65535).contains(endpoint.port), let url = curl_url() else { return nil }
        defer { curl_url_cleanup(url) }
        let host = endpoint.host.contains(":") && !endpoint.host.hasPrefix("[") ? "[\(endpoint.host)]" : endpoint.host
        let parts = [
            (CURLUPART_SCHEME, endpoint.secure ? "https" : "http"), (CURLUPART_HOST, host),
            (CURLUPART_PORT, String(endpoint.port)),
        ]
        for (part, value) in parts {
            guard !value.isEmpty, curl_url_set(url, part, value, 0) == CURLUE_OK else { return nil }
        }
        return "\(endpoint.secure ? "https" : "http")://\(host):\(endpoint.port)"
    }
}
