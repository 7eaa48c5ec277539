import Testing

@testable import RouterConfiguration

@Suite struct KafkaPropertyTests {
    @Test func namesBecomeLibrdkafkas() throws {
        let settings = try load(
            ["KAFKA_CONFIG_FETCH_MIN_BYTES": "1000", "KAFKA_CONFIG_GROUP_INSTANCE_ID": "a"],
            yaml: "KAFKA_CONFIG_LINGER_MS: 5\nKAFKA_CONFIG_FETCH_MIN_BYTES: 1\n")
        #expect(
            settings.kafka.properties == [
                KafkaProperty(name: "fetch.min.bytes", value: "1000"),
                KafkaProperty(name: "group.instance.id", value: "a"), KafkaProperty(name: "linger.ms", value: "5"),
            ])
    }

    @Test(arguments: [
        "ENABLE_AUTO_COMMIT", "ENABLE_AUTO_OFFSET_STORE", "AUTO_OFFSET_RESET", "GROUP_ID", "ISOLATION_LEVEL",
        "PARTITION_ASSIGNMENT_STRATEGY", "ACKS", "ENABLE_IDEMPOTENCE", "REQUEST_REQUIRED_ACKS", "AUTO_COMMIT_ENABLE",
    ]) func whatDeliveryDependsOnIsRefused(_ name: String) {
        for found in [problems(["KAFKA_CONFIG_" + name: "1"]), problems(yaml: "KAFKA_CONFIG_\(name): 1")] {
            #expect(found.map(\.name) == ["KAFKA_CONFIG_" + name])
            #expect(found.first?.explanation.contains("delivery depends on it") == true)
        }
    }

    @Test(arguments: ["", "_", "_A", "linger_ms", "LINGER.MS", "LINGER-MS", "Ä"])
    func whatIsNoNameIsAnError(_ name: String) {
        #expect(problems(["KAFKA_CONFIG_" + name: "1"]).map(\.name) == ["KAFKA_CONFIG_" + name])
    }

    @Test func librdkafkasOwnRefusalIsAmongTheProblems() throws {
        let error = #expect(throws: SettingsError.self) {
            try Settings.load(
                environment: [
                    "KAFKA_CONFIG_NO_SUCH": "1", "KAFKA_CONFIG_SSL_KEY_PASSWORD": "Xyzzy", "LOG_LEVEL": "x",
                ],
                configPath: nil
            ) { name, value in "No such configuration property: \(name) (\(value))" }
        }
        let found = try #require(error)
        #expect(found.problems.map(\.name) == ["LOG_LEVEL", "KAFKA_CONFIG_NO_SUCH", "KAFKA_CONFIG_SSL_KEY_PASSWORD"])
        #expect(found.description.contains("No such configuration property: no.such"))
        #expect(!found.description.contains("Xyzzy"))
    }

    @Test func countAndLengthAreLimited() {
        func properties(_ count: Int) -> [String: String] {
            Dictionary(uniqueKeysWithValues: (0..<count).map { ("KAFKA_CONFIG_P\($0)", "1") })
        }
        #expect(problems(properties(KafkaProperties.maxCount)).isEmpty)
        #expect(problems(properties(KafkaProperties.maxCount + 1)).count == 1)
        let atLimit = String(repeating: "x", count: KafkaProperties.maxValueBytes)
        #expect(problems(["KAFKA_CONFIG_CLIENT_ID": atLimit]).isEmpty)
        #expect(problems(["KAFKA_CONFIG_CLIENT_ID": atLimit + "x"]).count == 1)
    }
}
