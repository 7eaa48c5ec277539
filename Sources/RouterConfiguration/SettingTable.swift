extension SettingDescription {
    /// Every setting, in the order in which they are documented. The limits are reasoned for beside the constants.
    public static let all: [SettingDescription] = kafka + caches + postgres + clickHouse + http + batches + logs

    private static let kafka: [SettingDescription] = [
        .init(
            .kafkaBootstrapServers, default: "localhost:9092", .brokers,
            "Where to reach the Kafka cluster first: `host:port`, several with commas between."),
        .init(.kafkaRawTopic, default: "shared_raw_events", .topic, "The topic the events are read from."),
        .init(
            .kafkaDeadLetterTopic, default: "shared_dead_letter", .topic,
            "The topic that takes the records which cannot become rows."),
        .init(
            .kafkaGroupID, default: "router", .groupID,
            "The consumer group. The committed offsets, and so the delivery state, belong to it."),
        .init(
            .kafkaSecurityProtocol, default: "PLAINTEXT",
            .choice(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
            "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."),
        .init(
            .kafkaSASLMechanism, default: "PLAIN",
            .choice(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"]),
            "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `GSSAPI` or `OAUTHBEARER`; used with a SASL protocol only."),
        .init(
            .kafkaSASLUsername, default: nil, .optionalText(maxBytes: 255),
            "User for `PLAIN` and `SCRAM`, which need one."),
        .init(
            .kafkaSASLPassword, default: nil, .optionalText(maxBytes: SecretFile.maxBytes),
            "Password for `PLAIN` and `SCRAM`."),
        .init(
            .kafkaSSLCALocation, default: nil, .readablePath,
            "File or folder with the certificates of the authorities that sign the brokers'; "
                + "empty: those of the system."),
    ]

    private static let caches: [SettingDescription] = [
        .init(
            .redisURL, default: "redis://localhost:6379/0", .redisURL,
            "The cache of the client directory, `redis://[user:password@]host[:port][/database]`."),
        .init(
            .cacheHMACKey, default: nil, .key(minBytes: SettingLimits.minCacheKeyBytes),
            "Signs the cache's entries, so that whoever can write to Redis cannot make a client; empty: not signed. "
                + "The same for all members of a group."),
    ]

    private static let postgres: [SettingDescription] = [
        .init(
            .postgresHost, default: "localhost", .hostOrSocketFolder,
            "Postgres, where the clients are kept: a host, or the folder of its socket."),
        .init(.postgresPort, default: "5432", .integer(SettingLimits.ports, unit: ""), "Its port."),
        .init(.postgresDatabase, default: "router", .name(maxBytes: SettingLimits.postgresNameBytes), "Its database."),
        .init(.postgresUser, default: "router", .name(maxBytes: SettingLimits.postgresNameBytes), "Its user."),
        .init(
            .postgresPassword, default: nil, .optionalText(maxBytes: SecretFile.maxBytes),
            "The user's password; empty: none."),
        .init(
            .postgresSSLMode, default: "prefer",
            .choice(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
            "libpq's `sslmode`: `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`."),
    ]

    private static let clickHouse: [SettingDescription] = [
        .init(.clickHouseHost, default: "localhost", .host, "ClickHouse, where the clients' databases are."),
        .init(
            .clickHousePortHTTP, default: nil, inWords: "`8123`, or `8443` with `CLICKHOUSE_SECURE`",
            .integer(SettingLimits.ports, unit: ""), "The port of its HTTP interface."),
        .init(.clickHouseUser, default: "default", .name(maxBytes: 255), "Its user."),
        .init(
            .clickHousePassword, default: nil, .optionalText(maxBytes: SecretFile.maxBytes),
            "The user's password; empty: none."),
        .init(.clickHouseSecure, default: "false", .boolean, "`true` for HTTPS."),
    ]

    private static let http: [SettingDescription] = [
        .init(
            .httpHost, default: "127.0.0.1", .host,
            "Where the router's own HTTP endpoints listen; `0.0.0.0` for all interfaces."),
        .init(
            .httpPort, default: "8080", .integer(0...65535, unit: ""), "Their port; `0` takes any free one."),
    ]

    private static let batches: [SettingDescription] = [
        .init(
            .batchMaxRows, default: "200000", .integer(SettingLimits.batchRows, unit: "rows"),
            "A batch is sealed when it has this many rows."),
        .init(
            .batchMaxBytes, default: nil, inWords: "`67108864`, or a quarter of the memory limit when that is less",
            .integer(SettingLimits.batchBytes, unit: "bytes"),
            "A batch is sealed when its encoded rows take this many bytes."),
        .init(
            .batchMaxAge, default: "1000", .integer(SettingLimits.batchAgeMilliseconds, unit: "milliseconds"),
            "A batch is sealed when its first row has waited this many milliseconds."),
        .init(
            .memoryLimit, default: "256", .integer(SettingLimits.memoryMegabytes, unit: "megabytes of 1048576 bytes"),
            "Megabytes for buffers and Kafka's queue together; the process stays within 64 MB above it."),
        .init(
            .maxEventBytes, default: "1048576", .integer(SettingLimits.eventBytes, unit: "bytes"),
            "A longer record becomes a dead letter, `payload_too_large`."),
        .init(
            .destinationTimeout, default: "60000",
            .integer(SettingLimits.destinationTimeoutMilliseconds, unit: "milliseconds"),
            "How long one client's destination may fail before its rows become dead letters, "
                + "`destination_unavailable`, in milliseconds."),
        .init(
            .shutdownTimeout, default: "20000",
            .integer(SettingLimits.shutdownTimeoutMilliseconds, unit: "milliseconds"),
            "How long a stopping router may take to finish its batches, in milliseconds. What is left is redone "
                + "by the next one."),
    ]

    private static let logs: [SettingDescription] = [
        .init(
            .logLevel, default: "info",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            "`trace`, `debug`, `info`, `notice`, `warning`, `error` or `critical`."),
        .init(
            .logFormat, default: "json", .choice(["json", "text"]),
            "`json`: one object a line, for a log store. `text`: for a person."),
    ]
}

/// The limits of the numbers, each with its reason.
enum SettingLimits {
    static let ports = 1...65535
    /// ClickHouse splits an insert above `max_insert_block_size` (1,048,449 rows) into several blocks, and exactness
    /// rests on one block an insert.
    static let batchRows = 1...1_048_449
    /// Below a kilobyte a batch is an event, above a gigabyte an insert outlives every time limit.
    static let batchBytes = 1024...1_073_741_824
    /// Ten minutes: a batch holds memory and its partition's progress while it waits.
    static let batchAgeMilliseconds = 1...600_000
    /// 64 MB is what librdkafka's queue and one batch need; the upper end only catches bytes given for megabytes.
    static let memoryMegabytes = 64...1_048_576
    /// The upper end leaves room for headers below librdkafka's `message.max.bytes`, which ends at 1,000,000,000.
    static let eventBytes = 1...104_857_600
    /// A day: for longer than that nobody wants a client's rows to wait unseen.
    static let destinationTimeoutMilliseconds = 1...86_400_000
    /// An hour; every supervisor kills sooner.
    static let shutdownTimeoutMilliseconds = 1...3_600_000
    /// NAMEDATALEN - 1, Postgres' limit for a name.
    static let postgresNameBytes = 63
    /// A shorter key can be guessed by trying; 16 bytes is what `openssl rand -hex 16` exceeds twofold.
    static let minCacheKeyBytes = 16
    /// The default of `ROUTER_BATCH_MAX_BYTES`, where the memory limit leaves room for four of them.
    static let defaultBatchBytes = 67_108_864
    static let megabyte = 1_048_576
}
