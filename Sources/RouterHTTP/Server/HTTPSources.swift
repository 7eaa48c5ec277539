import Foundation

/// What the endpoints answer with. The server knows nothing of the router; whoever starts it says what is so.
public struct HTTPSources: Sendable {
    /// `/healthz`: whether the process works at all. False makes a supervisor restart it, so no dependency belongs here.
    public var alive: @Sendable () -> Bool
    /// `/readyz`.
    public var readiness: @Sendable () async -> Readiness
    /// `/metrics`: Prometheus' text format.
    public var metrics: @Sendable () async -> [UInt8]
    /// `/api/status`: one JSON document.
    public var status: @Sendable () async -> [UInt8]

    public init(
        alive: @escaping @Sendable () -> Bool,
        readiness: @escaping @Sendable () async -> Readiness,
        metrics: @escaping @Sendable () async -> [UInt8],
        status: @escaping @Sendable () async -> [UInt8]
    ) {
        self.alive = alive
        self.readiness = readiness
        self.metrics = metrics
        self.status = status
    }
}

/// Whether the router can do its work now, and what that rests on.
public struct Readiness: Sendable, Encodable, Equatable {
    public struct Check: Sendable, Encodable, Equatable {
        /// `kafka`, `postgres`, ...
        public var name: String
        public var ok: Bool
        /// A sentence for a person, with no secret in it.
        public var detail: String

        public init(name: String, ok: Bool, detail: String) {
            self.name = name
            self.ok = ok
            self.detail = detail
        }
    }

    public var ready: Bool
    public var checks: [Check]

    public init(ready: Bool, checks: [Check]) {
        self.ready = ready
        self.checks = checks
    }

    func json() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and booleans always encode; the fallback only spares a crash if that ever changes.
        return (try? encoder.encode(self)).map { Array($0) + [0x0A] } ?? Array("{\"ready\":false}\n".utf8)
    }
}
