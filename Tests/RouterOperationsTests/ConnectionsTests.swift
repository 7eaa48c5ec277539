import KafkaClient
import Logging
import RouterConfiguration
import Testing

@testable import RouterConnections

@Suite struct ConnectionsTests {
    private static func settings(_ environment: [String: String]) throws -> Settings {
        try Settings.load(environment: environment, configPath: nil)
    }

    @Test func givenPropertiesWinOverOurs() throws {
        let properties = try Self.settings([
            "KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2", "KAFKA_CONFIG_CLIENT_ID": "mine",
            "KAFKA_CONFIG_FETCH_MIN_BYTES": "7", "KAFKA_GROUP_ID": "g",
        ]).kafkaGroupProperties
        #expect(properties["bootstrap.servers"] == "a:1,b:2")
        #expect(properties["client.id"] == "mine")
        #expect(properties["fetch.min.bytes"] == "7")
        #expect(properties["group.id"] == "g")
    }

    @Test func credentialsGoWithSASLOnlyAndAreNeverShown() throws {
        var environment = [
            "KAFKA_SASL_USERNAME": "user", "KAFKA_SASL_PASSWORD": "hunter2", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "POSTGRES_METADATA_PASSWORD": "hunter3",
            "CLICKHOUSE_PASSWORD": "hunter4", "REDIS_URL": "redis://u:hunter5@r:1/2",
        ]
        let settings = try Self.settings(environment)
        #expect(settings.kafkaProperties["sasl.password"] == "hunter2")
        #expect(settings.kafkaProperties["sasl.mechanism"] == "SCRAM-SHA-256")
        #expect(settings.postgresSettings.password == "hunter3")
        #expect(settings.clickHouseEndpoint.password == "hunter4")
        #expect(settings.redisURL.password == "hunter5" && settings.redisURL.database == 2)
        #expect(!"\(settings.kafkaProperties) \(settings.clickHouseEndpoint)".contains("hunter"))

        environment["KAFKA_SECURITY_PROTOCOL"] = "PLAINTEXT"
        environment["KAFKA_SASL_USERNAME"] = nil
        environment["KAFKA_SASL_PASSWORD"] = nil
        environment["KAFKA_SASL_MECHANISM"] = nil
        #expect(try Self.settings(environment).kafkaProperties["sasl.mechanism"] == nil)
    }

    @Test(arguments: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
    func everySSLModeOfTheSettingIsOneOfTheClient(mode: String) throws {
        #expect(try Self.settings(["POSTGRES_METADATA_SSLMODE": mode]).postgresSettings.sslMode.rawValue == mode)
    }

    /// A record of the raw topic has to fit into the dead-letter topic with our headers, and an event that is just too
    /// large for the router into the raw one.
    @Test(arguments: [1, 16_384, 1_048_576, 104_857_600])
    func whatIsTooLargeStillFitsTheTopics(maxEventBytes: Int) {
        let raw = TopicLimits.rawMessageBytes(maxEventBytes: maxEventBytes)
        #expect(raw >= 1_048_588 && raw > maxEventBytes)
        #expect(TopicLimits.deadLetterMessageBytes(maxEventBytes: maxEventBytes) > raw)
    }

    @Test func whatHurtsLaterIsSaid() {
        let plan = TopicPlan(name: "dead", partitions: 3, maxMessageBytes: 1000)
        func remarks(_ configuration: [String: String], isDeadLetterTopic: Bool = true) -> Int {
            TopicSetup.remarks(on: configuration, plan: plan, isDeadLetterTopic: isDeadLetterTopic).count
        }
        #expect(remarks([:]) == 0)
        #expect(remarks(["cleanup.policy": "delete", "max.message.bytes": "1000"]) == 0)
        #expect(remarks(["cleanup.policy": "delete", "max.message.bytes": "999"]) == 1)
        #expect(remarks(["cleanup.policy": "compact,delete", "max.message.bytes": "999"]) == 2)
        #expect(remarks(["cleanup.policy": "compact", "max.message.bytes": "1"], isDeadLetterTopic: false) == 1)
    }

    @Test(arguments: [
        (0, "FAIL", Logger.Level.critical), (3, "ERROR", .error), (4, "REQTMOUT", .warning), (5, "X", .notice),
        (6, "X", .info), (7, "X", .debug), (4, "CONFWARN", .debug),
    ])
    func librdkafkasLevelsAreOurs(syslog: Int, facility: String, level: Logger.Level) {
        #expect(Logger.level(syslog: syslog, facility: facility) == level)
    }
}
