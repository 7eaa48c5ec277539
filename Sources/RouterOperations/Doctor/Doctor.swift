import ClientStore
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase

/// Looks at everything that the router depends on, and says what is wrong and what to do. It changes nothing, but for a
/// committed offset in a Kafka group of its own, which it removes again.
public struct Doctor: Sendable {
    /// One question to one server. Those that work answer within milliseconds.
    static let questionMilliseconds = 5_000
    /// All questions to one server together: some servers are asked a dozen.
    static let areaSeconds = 25.0

    private let settings: Settings
    private let log: Logger

    public init(settings: Settings, log: Logger) {
        self.settings = settings
        self.log = log
    }

    /// Ends within two areas' time, whatever the servers do.
    public func examine(progress: (String) -> Void) async -> DoctorReport {
        let findings = Findings()
        SettingsCheck(settings: settings, findings: findings).run()
        progress("doctor: asking Postgres")
        let settings = settings
        let log = log
        // First, and alone: what the other servers should hold is what Postgres says.
        let clients = await Self.area("postgres", findings) {
            PostgresCheck(settings: settings, findings: findings).run()
        }
        progress("doctor: asking Kafka, ClickHouse and Redis")
        let known = clients ?? nil
        async let kafka: Void? = Self.area("kafka", findings) {
            KafkaCheck(settings: settings, findings: findings, log: log, known: known).run()
        }
        async let redis: Void? = Self.area("redis", findings) {
            RedisCheck(settings: settings, findings: findings, known: known).run()
        }
        async let clickHouse: Void = ClickHouseCheck(settings: settings, findings: findings, known: known).run()
        async let router: Void? = Self.area("router", findings) {
            RouterCheck(settings: settings, findings: findings).run()
        }
        _ = await (kafka, redis, clickHouse, router)
        progress("")
        return DoctorReport(findings.all)
    }

    /// nil when the area took too long: what it found until then stays.
    private static func area<Value: Sendable>(
        _ name: String, _ findings: Findings, _ body: @escaping @Sendable () -> Value
    ) async -> Value? {
        do {
            return try await TimeLimit.run(areaSeconds, name, body)
        } catch {
            findings.unknown("\(name).time", "\(error)", "see that the server is not overloaded or frozen")
            return nil
        }
    }
}

/// What Postgres says that the other servers should hold.
struct KnownClients: Sendable {
    var clients: [ClientRecord]
    /// Versions of each client's schema that were written down.
    var versions: [ClientID: Set<Int>]
    /// Of this group and topic.
    var progress: PartitionProgress
    /// What an operator holds back.
    var pauses: Pauses

    var active: [ClientRecord] { clients.filter { $0.status == .active } }
}

/// What is in the settings themselves.
struct SettingsCheck {
    let settings: Settings
    let findings: Findings

    func run() {
        if settings.redis.cacheHMACKey == nil {
            findings.warning(
                "settings.cache_key",
                "entries of the client cache are not signed: whoever can write to Redis can make a client",
                "set ROUTER_CACHE_HMAC_KEY, the same for all members of the group")
        } else {
            findings.ok("settings.cache_key", "entries of the client cache are signed")
        }
        var clear: [String] = []
        if settings.clickHouse.password != nil, !settings.clickHouse.isSecure, !isLocal(settings.clickHouse.host) {
            clear.append("ClickHouse (CLICKHOUSE_SECURE)")
        }
        if settings.postgres.password != nil, !isLocal(settings.postgres.host),
            ["disable", "allow", "prefer"].contains(settings.postgres.sslMode)
        {
            clear.append("Postgres (POSTGRES_METADATA_SSLMODE)")
        }
        if settings.kafka.saslPassword != nil, settings.kafka.securityProtocol == .saslPlaintext,
            !settings.kafka.bootstrapServers.split(separator: ",").allSatisfy({
                isLocal(String($0.split(separator: ":").first ?? ""))
            })
        {
            clear.append("Kafka (KAFKA_SECURITY_PROTOCOL)")
        }
        if settings.redis.address.password != nil, !isLocal(settings.redis.address.host) { clear.append("Redis") }
        if clear.isEmpty {
            findings.ok("settings.encryption", "no password leaves this machine in the clear")
        } else {
            findings.warning(
                "settings.encryption", "passwords may cross the network in the clear: \(clear.joined(separator: ", "))",
                "turn TLS on where the network is not trusted")
        }
    }

    private func isLocal(_ host: String) -> Bool {
        host == "localhost" || host.hasPrefix("127.") || host == "::1" || host.hasPrefix("/")
    }
}

/// Differences between two clocks that matter to nobody, and those that do: expiries of keys, and times in reports, are
/// compared across machines.
enum ClockSkew {
    static let warningMilliseconds: Int64 = 2_000
    static let faultMilliseconds: Int64 = 60_000

    /// - Parameters:
    ///   - theirs: the server's clock, between `before` and `after` of ours.
    static func report(
        _ name: String, theirs: Int64, before: Int64, after: Int64, _ findings: Findings
    ) {
        // What the round trip hides is no difference.
        let difference = theirs < before ? theirs - before : theirs > after ? theirs - after : 0
        let text = "its clock is \(abs(difference).grouped) ms \(difference < 0 ? "behind" : "ahead of") this machine's"
        switch abs(difference) {
        case ..<warningMilliseconds: findings.ok(name, difference == 0 ? "its clock agrees with this machine's" : text)
        case ..<faultMilliseconds: findings.warning(name, text, "let NTP keep both clocks")
        default: findings.fault(name, text, "let NTP keep both clocks: keys expire by them")
        }
    }
}
