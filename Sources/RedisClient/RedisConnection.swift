import CHiredis
import Glibc

/// One connection to Redis: the owner of one `redisContext`. It is used from one thread and is not `Sendable`.
///
/// hiredis 0.14 has neither TLS nor RESP3. After any thrown error the connection is closed for good: hiredis says
/// of an error in a context that "the context cannot be reused", so make a new one. An answer `.failure` is not
/// thrown: the server refused one command and the connection goes on.
public final class RedisConnection {
    /// A bound on one call's answers together, so that a wrong or hostile server cannot fill our memory.
    public static let defaultReplyLimitBytes = 16 << 20
    /// hiredis counts arguments in an Int32 and copies all of them; MGETs of thousands of keys stay far below.
    public static let argumentLimit = 100_000

    public let url: RedisURL
    private let commandTimeoutMilliseconds: Int
    private let replyLimitBytes: Int
    /// nil once closed.
    private var context: UnsafeMutablePointer<redisContext>?

    /// Connects, authenticates and chooses the database. The time limit is per step; a host name is looked up
    /// without one (getaddrinfo has none).
    public init(
        _ url: RedisURL, connectTimeoutMilliseconds: Int = 1_000, commandTimeoutMilliseconds: Int = 500,
        replyLimitBytes: Int = RedisConnection.defaultReplyLimitBytes
    ) throws(RedisError) {
        ignoreBrokenPipes()
        self.url = url
        self.commandTimeoutMilliseconds = commandTimeoutMilliseconds
        self.replyLimitBytes = replyLimitBytes
        guard
            let context = redisConnectWithTimeout(
                url.host, Int32(clamping: url.port), timeval(milliseconds: connectTimeoutMilliseconds))
        else {
            throw RedisError(.unreachable, "\(url.place): out of memory", isRetriable: true)
        }
        self.context = context
        guard context.pointee.err == 0 else { throw closed(.unreachable, Self.text(context.pointee)) }
        context.pointee.reader.pointee.fn = BoundedReplies.functions
        guard redisSetTimeout(context, timeval(milliseconds: commandTimeoutMilliseconds)) == REDIS_OK else {
            throw closed(.unreachable, Self.text(context.pointee))
        }
        // A peer that vanished is noticed by the command's time limit; this only keeps idle connections through NAT.
        _ = redisEnableKeepAlive(context)
        try introduce()
    }

    deinit {
        close()
    }

    public var isOpen: Bool { context != nil }

    public func close() {
        if let context { redisFree(context) }
        context = nil
    }

    /// Sends one command, its name first, and waits for the answer.
    public func command(_ arguments: [[UInt8]]) throws(RedisError) -> RedisReply {
        try pipeline([arguments])[0]
    }

    public func command(_ arguments: String...) throws(RedisError) -> RedisReply {
        try command(arguments.map { Array($0.utf8) })
    }

    /// Sends all commands in one go and returns the answers in the same order.
    public func pipeline(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisReply] {
        guard let context else {
            throw RedisError(.connectionLost, "\(url.place): the connection was closed before", isRetriable: true)
        }
        for command in commands { try append(command, to: context) }
        let deadline = monotonicMilliseconds() &+ Int64(commandTimeoutMilliseconds)
        try sendAll(context, deadline)
        var receivedBytes = 0
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        while replies.count < commands.count {
            replies.append(try nextReply(context, deadline, &receivedBytes))
        }
        return replies
    }

    // MARK: - Steps

    private func introduce() throws(RedisError) {
        if let password = url.password {
            let words = ["AUTH"] + (url.user.map { [$0] } ?? []) + [password]
            let reply = try command(words.map { Array($0.utf8) })
            if case .failure(let text) = reply { throw closed(.accessDenied, text) }
        }
        if url.database != 0 {
            if case .failure(let text) = try command("SELECT", String(url.database)) {
                throw closed(.accessDenied, text)
            }
        }
        // Where a password is wanted and none was given, this is what says so; the connection itself succeeds.
        if case .failure(let text) = try command("PING") { throw closed(.accessDenied, text) }
    }

    private func append(
        _ command: [[UInt8]], to context: UnsafeMutablePointer<redisContext>
    ) throws(RedisError) {
        precondition(!command.isEmpty && command.count <= Self.argumentLimit, "a Redis command of no or too many words")
        let lengths = command.map(\.count)
        // hiredis copies the arguments into its own buffer during the call, so one joined copy suffices.
        let joined = Array(command.joined()) + [0]
        let state = joined.withUnsafeBufferPointer { bytes in
            var pointers: [UnsafePointer<CChar>?] = []
            pointers.reserveCapacity(command.count)
            var offset = 0
            for length in lengths {
                let start = UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped) + offset
                pointers.append(start.assumingMemoryBound(to: CChar.self))
                offset += length
            }
            return redisAppendCommandArgv(context, Int32(command.count), &pointers, lengths)
        }
        guard state == REDIS_OK else { throw failed(context) }
    }

    private func sendAll(
        _ context: UnsafeMutablePointer<redisContext>, _ deadline: Int64
    ) throws(RedisError) {
        var isDone: Int32 = 0
        while isDone == 0 {
            guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw failed(context) }
            if isDone == 0 && monotonicMilliseconds() >= deadline { throw late() }
        }
    }

    /// `redisGetReply` would read without bound in size and time; its two halves are called here with both.
    private func nextReply(
        _ context: UnsafeMutablePointer<redisContext>, _ deadline: Int64, _ receivedBytes: inout Int
    ) throws(RedisError) -> RedisReply {
        while true {
            var reply: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &reply) == REDIS_OK else { throw failed(context) }
            if let reply {
                defer { freeReplyObject(reply) }
                if let copy = RedisReply(copying: reply.assumingMemoryBound(to: redisReply.self).pointee) {
                    return copy
                }
                throw closed(.protocolFault, "an answer of an unknown type")
            }
            guard monotonicMilliseconds() < deadline else { throw late() }
            let before = context.pointee.reader.pointee.len
            guard redisBufferRead(context) == REDIS_OK else { throw failed(context) }
            // hiredis may replace its buffer when it is empty; what is in it then came with this read.
            let after = context.pointee.reader.pointee.len
            receivedBytes += after >= before ? after - before : after
            guard receivedBytes <= replyLimitBytes else {
                throw closed(.replyTooLarge, "the answer is larger than \(replyLimitBytes) bytes")
            }
        }
    }

    // MARK: - Errors

    private func late() -> RedisError {
        closed(.timedOut, "no answer within \(commandTimeoutMilliseconds) ms")
    }

    private func failed(_ context: UnsafeMutablePointer<redisContext>) -> RedisError {
        let value = context.pointee
        switch value.err {
        case REDIS_ERR_EOF: return closed(.connectionLost, "the server closed the connection")
        // hiredis: "REDIS_ERR_IO means there was an I/O error and you should use the errno variable"; SO_RCVTIMEO
        // shows as EAGAIN, and its text is copied into errstr at that moment.
        case REDIS_ERR_IO where errno == EAGAIN || errno == EWOULDBLOCK: return late()
        case REDIS_ERR_IO: return closed(.connectionLost, Self.text(value))
        case REDIS_ERR_PROTOCOL: return closed(.protocolFault, Self.text(value))
        // What hiredis says when `BoundedReplies` makes no array.
        case REDIS_ERR_OOM: return closed(.replyTooLarge, "the answer is not one that was asked for, or memory is gone")
        default: return closed(.connectionLost, Self.text(value))
        }
    }

    private func closed(_ code: RedisError.Code, _ text: String) -> RedisError {
        close()
        return RedisError(code, "\(url.place): \(text)", isRetriable: true)
    }

    private static func text(_ context: redisContext) -> String {
        withUnsafeBytes(of: context.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension timeval {
    fileprivate init(milliseconds: Int) {
        // Zero would mean "no limit" to setsockopt(SO_RCVTIMEO).
        let value = max(1, milliseconds)
        self.init(tv_sec: value / 1000, tv_usec: value % 1000 * 1000)
    }
}

/// hiredis writes with write(2), so a connection that the server closed would end the whole process with SIGPIPE.
/// A handler that someone else has set is left alone.
private func ignoreBrokenPipes() {
    _ = brokenPipesIgnored
}

private let brokenPipesIgnored: Void = {
    var action = sigaction()
    sigaction(SIGPIPE, nil, &action)
    if action.__sigaction_handler.sa_handler == nil { signal(SIGPIPE, SIG_IGN) }
}()

private func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
