import Foundation

/// A thread of its own for the pipeline: it must not take one from Swift's pool, which has as many as there are cores.
final class PipelineThread: Thread, @unchecked Sendable {
    // `@unchecked Sendable`: Thread is, and the body is a constant that is called once.
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
        super.init()
        name = "router.pipeline"
    }

    override func main() { body() }
}
