import Foundation
import RouterConfiguration

/// What a running router says of itself at `/api/status`, as far as commands use it. Fields that are missing are an
/// older or a newer router's; they are not needed.
struct MemberStatus: Decodable, Sendable {
    struct Pause: Decodable, Sendable {
        var by: String
        var at: String
        var reason: String
    }

    struct Partition: Decodable, Sendable {
        var partition: Int32
        var is_paused: Bool?
        var stopped: String?
        var lag: Int64?
        var lag_seconds: Double?
        var outstanding_batches: Int?
        /// What the partition waits for, such as `clickhouse`; nil when it waits for nothing.
        var waiting_for: String?
        /// For how long there has been something to do and nothing done; 0 when it moves.
        var stalled_seconds: Double?
        /// RFC 3339, UTC.
        var last_moved_at: String?
    }

    struct Circuit: Codable, Sendable {
        var client_id: String
        var detail: String?
        /// `open` or `half_open`.
        var state: String?
        /// RFC 3339, UTC.
        var since: String?
        var opened_count: Int?
    }

    var version: String?
    var phase: String?
    var group_id: String?
    var partitions: [Partition]?
    var open_circuits: [Circuit]?
    /// Work that could be done is not done.
    var stalled: Bool?
    var exactly_once: Bool?
    var clickhouse_away: Bool?
    var kafka_error: String?
    var postgres_error: String?
    var redis_error: String?
    var buffered_bytes: Int?
    var consumed: Int?
    var delivered: Int?
    var lost_to_retention: Int64?
    var uptime_seconds: Double?

    /// Where the router of these settings listens.
    static func url(_ settings: Settings) -> String {
        let anywhere = ["0.0.0.0", "::"].contains(settings.http.host)
        let host = anywhere ? "127.0.0.1" : settings.http.host
        return "http://\(host.contains(":") ? "[\(host)]" : host):\(settings.http.port)"
    }

    /// - Parameter url: with or without a path.
    static func read(_ url: String) throws -> MemberStatus {
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        let body = try StatusProbe.get(base.hasSuffix("/api/status") ? base : base + "/api/status")
        do {
            return try JSONDecoder().decode(MemberStatus.self, from: Data(body))
        } catch {
            throw StatusProbe.Failure(description: "what answers there is not a router", isTimeout: false)
        }
    }
}
