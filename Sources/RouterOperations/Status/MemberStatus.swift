import Foundation
import RouterConfiguration

/// What a running router says of itself at `/api/status`, as far as commands use it. Fields that are missing are an
/// older or a newer router's; they are not needed.
struct MemberStatus: Decodable {
    struct Pause: Decodable {
        var by: String
        var at: String
        var reason: String
    }

    struct Partition: Decodable {
        var partition: Int32
        var is_paused: Bool?
        var stopped: String?
        var lag: Int64?
        var outstanding_batches: Int?
    }

    struct Circuit: Decodable {
        var client_id: String
        var detail: String?
    }

    var version: String?
    var phase: String?
    var group_id: String?
    var partitions: [Partition]?
    var open_circuits: [Circuit]?
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
            throw StatusProbe.Failure(description: "what answers there is not a router")
        }
    }
}
