import Foundation
import Synchronization

/// Work that blocks a thread, with an end to the waiting for it.
enum TimeLimit {
    /// What `body` returns or throws, or an `OperationError` when it takes longer. It runs on a thread of its own, which
    /// is left behind then: a server that is frozen must not hold the command.
    static func run<Value: Sendable>(
        _ seconds: Double, _ what: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let first = FirstAnswer<Value>()
        return try await withCheckedThrowingContinuation { continuation in
            first.expect(continuation)
            Thread.detachNewThread { first.take(Result { try body() }) }
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) {
                first.take(
                    .failure(
                        OperationError(
                            "timed_out", "\(what): no answer within \(Int(seconds.rounded(.up))) seconds",
                            isRetriable: true)))
            }
        }
    }

    /// Resumes once, with whatever comes first.
    private final class FirstAnswer<Value: Sendable>: Sendable {
        private let waiting = Mutex<CheckedContinuation<Value, any Error>?>(nil)

        func expect(_ continuation: CheckedContinuation<Value, any Error>) {
            waiting.withLock { $0 = continuation }
        }

        func take(_ result: Result<Value, any Error>) {
            let continuation = waiting.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            continuation?.resume(with: result)
        }
    }
}
