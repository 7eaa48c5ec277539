import Testing

@testable import RouterConfiguration

/// Defaults, and rules about several settings at once.
@Suite struct SettingsTogetherTests {
    @Test func defaultsAreThoseOfTheContract() throws {
        let settings = try load()
        #expect(settings.kafka.rawTopic == "shared_raw_events")
        #expect(settings.kafka.deadLetterTopic == "shared_dead_letter")
        #expect(settings.kafka.groupID == "router")
        #expect(settings.http.host == "127.0.0.1")
        #expect(settings.http.port == 8080)
        #expect(settings.batch.maxRows == 200_000)
        #expect(settings.batch.maxBytes == 64 * 1_048_576)
        #expect(settings.batch.maxAgeMilliseconds == 1000)
        #expect(settings.limits.memoryBytes == 256 * 1_048_576)
        #expect(settings.limits.maxEventBytes == 1_048_576)
        #expect(settings.limits.destinationTimeoutMilliseconds == 60_000)
        #expect(settings.limits.shutdownTimeoutMilliseconds == 20_000)
        #expect(settings.clickHouse.port == 8123)
        #expect(settings.postgres.database == "router" && settings.postgres.user == "router")
    }

    @Test func aSmallMemoryLimitLowersTheDefaultBatch() throws {
        #expect(try load(["ROUTER_MEMORY_LIMIT_MB": "64"]).batch.maxBytes == 16 * 1_048_576)
        #expect(try load(["ROUTER_MEMORY_LIMIT_MB": "1024"]).batch.maxBytes == 64 * 1_048_576)
    }

    @Test func batchHasToFitIntoTheMemory() throws {
        let limit = 64 * 1_048_576
        let memory = ["ROUTER_MEMORY_LIMIT_MB": "64"]
        #expect(problems(memory.merging(["ROUTER_BATCH_MAX_BYTES": "\(limit - 1)"]) { $1 }).isEmpty)
        let found = problems(memory.merging(["ROUTER_BATCH_MAX_BYTES": "\(limit)"]) { $1 })
        #expect(found.map(\.name) == ["ROUTER_BATCH_MAX_BYTES"])
    }

    @Test func anEventHasToFitIntoABatch() throws {
        let batch = ["ROUTER_BATCH_MAX_BYTES": "2048"]
        #expect(problems(batch.merging(["ROUTER_MAX_EVENT_BYTES": "2048"]) { $1 }).isEmpty)
        let found = problems(batch.merging(["ROUTER_MAX_EVENT_BYTES": "2049"]) { $1 })
        #expect(found.map(\.name) == ["ROUTER_MAX_EVENT_BYTES"])
        // Against the default of the other, too.
        #expect(problems(["ROUTER_MAX_EVENT_BYTES": "67108865"]).map(\.name) == ["ROUTER_MAX_EVENT_BYTES"])
        // The event's default is no typing error of anyone.
        #expect(try load(batch).limits.maxEventBytes == 1_048_576)
    }

    @Test func topicsHaveToDiffer() {
        let found = problems(["KAFKA_RAW_TOPIC": "t", "KAFKA_DEAD_LETTER_TOPIC": "t"])
        #expect(found.map(\.name) == ["KAFKA_DEAD_LETTER_TOPIC"])
    }

    @Test func saslNeedsUserAndPassword() throws {
        let sasl = ["KAFKA_SECURITY_PROTOCOL": "SASL_SSL"]
        #expect(problems(sasl).map(\.name) == ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
        let given = ["KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "p", "KAFKA_SASL_MECHANISM": "scram-sha-256"]
        #expect(try load(sasl.merging(given) { $1 }).kafka.saslMechanism == .scramSHA256)
        #expect(problems(sasl.merging(["KAFKA_SASL_MECHANISM": "GSSAPI"]) { $1 }).isEmpty)
    }

    @Test func allThatIsWrongIsNamedInOneMessage() throws {
        let environment = [
            "ROUTER_HTTP_PORT": "70000", "KAFKA_RAW_TOPIC": "a b", "CLICKHOUSE_SECURE": "maybe",
            "KAFKA_CONFIG_ACKS": "1", "REDIS_URL": "redis://:hunter2@", "KAFKA_SASL_PASSWORD_FILE": "/no/such/file",
            "ROUTER_MEMORY_LIMIT_MB": "64", "ROUTER_BATCH_MAX_BYTES": "1073741824", "LOG_LEVEL": "loud\u{1B}[2J",
        ]
        let error = #expect(throws: SettingsError.self) { try load(environment, yaml: "ROUTER_HTP_PORT: 1\n") }
        let message = try #require(error).description
        for name in environment.keys where name != "ROUTER_MEMORY_LIMIT_MB" {
            #expect(message.contains("\n  \(name)"), "\(name) is missing")
        }
        #expect(message.hasPrefix("9 settings are wrong"))
        #expect(message.contains("ROUTER_HTP_PORT"))
        #expect(message.contains("did you mean ROUTER_HTTP_PORT?"))
        #expect(message.contains("is \"70000\" (environment): has to be a whole number from 0 to 65535"))
        #expect(!message.contains("hunter2"))
        #expect(!message.contains("\u{1B}"))
    }

    @Test func aLongValueIsCut() {
        let error = #expect(throws: SettingsError.self) {
            try load(["ROUTER_HTTP_PORT": String(repeating: "9", count: 100_000)])
        }
        #expect((error?.description.count ?? .max) < 500)
    }
}
