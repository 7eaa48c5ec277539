extension Settings {
    /// Reads and checks every setting. The environment wins over the file, the file over the defaults; an empty value
    /// is a value. Names in the environment that are not ours are ignored, in the file they are errors.
    ///
    /// - Parameters:
    ///   - environment: the process's own, as a rule.
    ///   - configPath: the YAML file, flat lines of `NAME: value`; nil for none.
    ///   - checkKafkaProperty: says what librdkafka has against a property and value, for example by setting it in a
    ///     configuration that is thrown away; nil when nothing.
    /// - Throws: one `SettingsError` with every problem.
    public static func load(
        environment: [String: String], configPath: String?,
        checkKafkaProperty: (_ name: String, _ value: String) -> String? = { _, _ in nil }
    ) throws(SettingsError) -> Settings {
        var problems: [SettingsProblem] = []
        var sources = [SettingSource(environment: environment)]
        if let configPath, let file = SettingSource.file(configPath, problems: &problems) { sources.append(file) }
        var loader = SettingsLoader(sources: sources, problems: problems)
        loader.readAll()
        loader.readKafkaProperties(check: checkKafkaProperty)
        guard loader.problems.isEmpty, let settings = loader.settings() else {
            throw SettingsError(problems: loader.problems)
        }
        return settings
    }
}

extension SettingsLoader {
    /// Nil only when a value is missing, which the rules have then reported as a problem.
    fileprivate func settings() -> Settings? {
        guard let security = Settings.SecurityProtocol(rawValue: text(.kafkaSecurityProtocol)),
            let mechanism = Settings.SASLMechanism(rawValue: text(.kafkaSASLMechanism)),
            let redis = RedisAddress(text(.redisURL)), let postgresPort = integer(.postgresPort),
            let http = http, let memoryMegabytes = integer(.memoryLimit),
            let batch = batch(memoryBytes: memoryMegabytes * SettingLimits.megabyte),
            let limits = limits(memoryBytes: memoryMegabytes * SettingLimits.megabyte), let log = log
        else { return nil }
        let isSecure = boolean(.clickHouseSecure)
        let clickHousePort = integer(.clickHousePortHTTP) ?? (isSecure ? 8443 : 8123)
        return Settings(
            kafka: Settings.Kafka(
                bootstrapServers: text(.kafkaBootstrapServers), rawTopic: text(.kafkaRawTopic),
                deadLetterTopic: text(.kafkaDeadLetterTopic), groupID: text(.kafkaGroupID), securityProtocol: security,
                saslMechanism: mechanism, saslUsername: optionalText(.kafkaSASLUsername),
                saslPassword: secret(.kafkaSASLPassword), sslCALocation: optionalText(.kafkaSSLCALocation),
                properties: kafkaProperties),
            redis: Settings.Redis(address: redis, cacheHMACKey: secret(.cacheHMACKey)),
            postgres: Settings.Postgres(
                host: text(.postgresHost), port: postgresPort, database: text(.postgresDatabase),
                user: text(.postgresUser), password: secret(.postgresPassword), sslMode: text(.postgresSSLMode)),
            clickHouse: Settings.ClickHouse(
                host: text(.clickHouseHost), port: clickHousePort, user: text(.clickHouseUser),
                password: secret(.clickHousePassword), isSecure: isSecure),
            http: http, batch: batch, limits: limits, log: log,
            shown: shown.map { shownWithComputedDefault($0, port: clickHousePort, batchBytes: batch.maxBytes) })
    }

    private var http: Settings.HTTP? {
        guard let port = integer(.httpPort) else { return nil }
        return Settings.HTTP(host: text(.httpHost), port: port)
    }

    private func batch(memoryBytes: Int) -> Settings.Batch? {
        guard let rows = integer(.batchMaxRows), let age = integer(.batchMaxAge) else { return nil }
        let bytes = Self.batchBytes(given: integer(.batchMaxBytes), memoryBytes: memoryBytes)
        return Settings.Batch(maxRows: rows, maxBytes: bytes, maxAgeMilliseconds: age)
    }

    private func limits(memoryBytes: Int) -> Settings.Limits? {
        guard let event = integer(.maxEventBytes), let destination = integer(.destinationTimeout),
            let shutdown = integer(.shutdownTimeout)
        else { return nil }
        return Settings.Limits(
            memoryBytes: memoryBytes, maxEventBytes: event, destinationTimeoutMilliseconds: destination,
            shutdownTimeoutMilliseconds: shutdown)
    }

    private var log: Settings.Log? {
        guard let level = Settings.LogLevel(rawValue: text(.logLevel)),
            let format = Settings.LogFormat(rawValue: text(.logFormat))
        else { return nil }
        return Settings.Log(level: level, format: format)
    }

    private func shownWithComputedDefault(_ setting: ShownSetting, port: Int, batchBytes: Int) -> ShownSetting {
        guard setting.source == nil, setting.value.isEmpty else { return setting }
        var setting = setting
        if setting.name == SettingName.clickHousePortHTTP.rawValue { setting.value = String(port) }
        if setting.name == SettingName.batchMaxBytes.rawValue { setting.value = String(batchBytes) }
        return setting
    }
}
