/// Everything that can be set, checked: a value of this type has passed every rule of `SettingDescription.all`.
public struct Settings: Sendable {
    public var kafka: Kafka
    public var redis: Redis
    public var postgres: Postgres
    public var clickHouse: ClickHouse
    public var http: HTTP
    public var batch: Batch
    public var limits: Limits
    public var log: Log
    /// Every setting as it was loaded, secrets masked, in the order of the documentation.
    public internal(set) var shown: [ShownSetting]

    public struct Kafka: Sendable {
        /// `host:port`, several with commas between.
        public var bootstrapServers: String
        public var rawTopic: String
        public var deadLetterTopic: String
        public var groupID: String
        public var securityProtocol: SecurityProtocol
        /// Used with a SASL protocol only.
        public var saslMechanism: SASLMechanism
        public var saslUsername: String?
        public var saslPassword: Secret?
        /// A file or a folder; nil for the system's own certificates.
        public var sslCALocation: String?
        /// The `KAFKA_CONFIG_` settings, by name. They are set last, so that they win.
        public var properties: [KafkaProperty]
    }

    /// The raw values are librdkafka's.
    public enum SecurityProtocol: String, Sendable, CaseIterable {
        case plaintext = "PLAINTEXT"
        case ssl = "SSL"
        case saslPlaintext = "SASL_PLAINTEXT"
        case saslSSL = "SASL_SSL"

        public var usesSASL: Bool { self == .saslPlaintext || self == .saslSSL }
    }

    /// The raw values are librdkafka's.
    public enum SASLMechanism: String, Sendable, CaseIterable {
        case plain = "PLAIN"
        case scramSHA256 = "SCRAM-SHA-256"
        case scramSHA512 = "SCRAM-SHA-512"
        case gssapi = "GSSAPI"
        case oauthBearer = "OAUTHBEARER"

        var needsPassword: Bool { self != .gssapi && self != .oauthBearer }
    }

    public struct Redis: Sendable {
        public var address: RedisAddress
        /// Signs the entries of the cache; nil when they are not signed.
        public var cacheHMACKey: Secret?
    }

    public struct Postgres: Sendable {
        /// A host name or address, or the folder of a Unix-domain socket.
        public var host: String
        public var port: Int
        public var database: String
        public var user: String
        public var password: Secret?
        /// libpq's `sslmode`.
        public var sslMode: String
    }

    public struct ClickHouse: Sendable {
        public var host: String
        public var port: Int
        public var user: String
        public var password: Secret?
        /// HTTPS instead of HTTP.
        public var isSecure: Bool
    }

    public struct HTTP: Sendable {
        public var host: String
        /// 0 takes any free port.
        public var port: Int
    }

    /// When a batch is sealed: at whichever comes first.
    public struct Batch: Sendable {
        public var maxRows: Int
        public var maxBytes: Int
        public var maxAgeMilliseconds: Int
    }

    public struct Limits: Sendable {
        /// Buffers and Kafka's queue together.
        public var memoryBytes: Int
        public var maxEventBytes: Int
        public var destinationTimeoutMilliseconds: Int
        public var shutdownTimeoutMilliseconds: Int
    }

    public struct Log: Sendable {
        public var level: LogLevel
        public var format: LogFormat
    }

    /// The levels of swift-log, by their own names.
    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    public enum LogFormat: String, Sendable, CaseIterable {
        case json, text
    }

    /// One line per setting, `NAME=value`, secrets masked.
    public func describe() -> String {
        shown.map { "\($0.name)=\($0.value)" }.joined(separator: "\n")
    }
}

/// A setting as it may be shown: a secret's value is `***`, an empty one's is empty.
public struct ShownSetting: Sendable, Equatable {
    public var name: String
    public var value: String
    /// `environment`, the configuration file's path, or nil for the default.
    public var source: String?
}
