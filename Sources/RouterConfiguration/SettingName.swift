/// Every setting by the one name that it has in the environment and in the YAML file.
public enum SettingName: String, CaseIterable, Sendable {
    case kafkaBootstrapServers = "KAFKA_BOOTSTRAP_SERVERS"
    case kafkaRawTopic = "KAFKA_RAW_TOPIC"
    case kafkaDeadLetterTopic = "KAFKA_DEAD_LETTER_TOPIC"
    case kafkaGroupID = "KAFKA_GROUP_ID"
    case kafkaSecurityProtocol = "KAFKA_SECURITY_PROTOCOL"
    case kafkaSASLMechanism = "KAFKA_SASL_MECHANISM"
    case kafkaSASLUsername = "KAFKA_SASL_USERNAME"
    case kafkaSASLPassword = "KAFKA_SASL_PASSWORD"
    case kafkaSSLCALocation = "KAFKA_SSL_CA_LOCATION"

    case redisURL = "REDIS_URL"
    case cacheHMACKey = "ROUTER_CACHE_HMAC_KEY"

    case postgresHost = "POSTGRES_METADATA_HOST"
    case postgresPort = "POSTGRES_METADATA_PORT"
    case postgresDatabase = "POSTGRES_METADATA_DB"
    case postgresUser = "POSTGRES_METADATA_USER"
    case postgresPassword = "POSTGRES_METADATA_PASSWORD"
    case postgresSSLMode = "POSTGRES_METADATA_SSLMODE"

    case clickHouseHost = "CLICKHOUSE_HOST"
    case clickHousePortHTTP = "CLICKHOUSE_PORT_HTTP"
    case clickHouseUser = "CLICKHOUSE_USER"
    case clickHousePassword = "CLICKHOUSE_PASSWORD"
    case clickHouseSecure = "CLICKHOUSE_SECURE"

    case httpHost = "ROUTER_HTTP_HOST"
    case httpPort = "ROUTER_HTTP_PORT"

    case batchMaxRows = "ROUTER_BATCH_MAX_ROWS"
    case batchMaxBytes = "ROUTER_BATCH_MAX_BYTES"
    case batchMaxAge = "ROUTER_BATCH_MAX_AGE_MS"
    case memoryLimit = "ROUTER_MEMORY_LIMIT_MB"
    case maxEventBytes = "ROUTER_MAX_EVENT_BYTES"
    case destinationTimeout = "ROUTER_DESTINATION_TIMEOUT_MS"
    case shutdownTimeout = "ROUTER_SHUTDOWN_TIMEOUT_MS"

    case logLevel = "LOG_LEVEL"
    case logFormat = "LOG_FORMAT"

    /// Secrets are never printed, and each can come from a file named by `NAME_FILE` instead.
    public var isSecret: Bool {
        switch self {
        case .kafkaSASLPassword, .redisURL, .cacheHMACKey, .postgresPassword, .clickHousePassword: true
        default: false
        }
    }

    /// The name of the setting that names a file with the secret in it.
    var fileName: String { rawValue + "_FILE" }
}
