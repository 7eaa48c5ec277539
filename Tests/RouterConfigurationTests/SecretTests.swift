import Foundation
import Testing

@testable import RouterConfiguration

@Suite struct SecretTests {
    static let secrets = SettingName.allCases.filter(\.isSecret)

    /// A valid value of the secret that holds a text to search for.
    static func value(of name: SettingName) -> String {
        name == .redisURL ? "redis://user:Xyzzy-4711-Xyzzy@localhost:6379/0" : "Xyzzy-4711-Xyzzy"
    }

    @Test func theSecretsAreTheseFive() {
        #expect(
            Set(Self.secrets.map(\.rawValue)) == [
                "KAFKA_SASL_PASSWORD", "POSTGRES_METADATA_PASSWORD", "CLICKHOUSE_PASSWORD", "REDIS_URL",
                "ROUTER_CACHE_HMAC_KEY",
            ])
    }

    @Test(arguments: secrets, ["\n", "\r\n", ""]) func fileGivesTheSecret(_ name: SettingName, end: String) throws {
        let value = Self.value(of: name)
        let file = TemporaryFile(value + end)
        let direct = try load([name.rawValue: value])
        let fromFile = try load([name.rawValue + "_FILE": file.path])
        #expect(Self.all(direct) == Self.all(fromFile))
        #expect(Self.all(direct).contains { $0.contains("Xyzzy-4711-Xyzzy") })
    }

    @Test func onlyOneLineEndIsTrimmed() throws {
        let file = TemporaryFile(" p \n\n")
        #expect(try load(["CLICKHOUSE_PASSWORD_FILE": file.path]).clickHouse.password?.reveal() == " p \n")
    }

    @Test(arguments: secrets) func bothIsAnErrorWithinOneSource(_ name: SettingName) throws {
        let file = TemporaryFile(Self.value(of: name))
        let found = problems([name.rawValue: Self.value(of: name), name.rawValue + "_FILE": file.path])
        #expect(found.map(\.name) == [name.rawValue])
        // An empty one beside the other is how compose files pass on what is not set.
        #expect(problems([name.rawValue: "", name.rawValue + "_FILE": file.path]).isEmpty)
        #expect(problems([name.rawValue: Self.value(of: name), name.rawValue + "_FILE": ""]).isEmpty)
    }

    @Test func theEnvironmentWinsOverTheFileInEitherForm() throws {
        let file = TemporaryFile("from-file")
        let yaml = "CLICKHOUSE_PASSWORD: from-yaml\n"
        #expect(
            try load(["CLICKHOUSE_PASSWORD_FILE": file.path], yaml: yaml).clickHouse.password?.reveal() == "from-file")
        let yamlFile = "CLICKHOUSE_PASSWORD_FILE: \(file.path)\n"
        #expect(try load(yaml: yamlFile).clickHouse.password?.reveal() == "from-file")
        #expect(try load(["CLICKHOUSE_PASSWORD": "env"], yaml: yamlFile).clickHouse.password?.reveal() == "env")
    }

    @Test func filesThatCannotBeUsedAreNamed() {
        let tooLong = TemporaryFile(String(repeating: "x", count: SecretFile.maxBytes + 1))
        let atLimit = TemporaryFile(String(repeating: "x", count: SecretFile.maxBytes))
        let empty = TemporaryFile("\n")
        let binary = TemporaryFile(Data([0xFF, 0xFE]))
        for path in ["/no/such/file", "/", tooLong.path, empty.path, binary.path, "a\0b"] {
            let found = problems(["POSTGRES_METADATA_PASSWORD_FILE": path])
            #expect(found.map(\.name) == ["POSTGRES_METADATA_PASSWORD_FILE"])
            #expect(found.first?.value == path)
        }
        #expect(problems(["POSTGRES_METADATA_PASSWORD_FILE": atLimit.path]).isEmpty)
    }

    @Test func secretsAreNeverPrinted() throws {
        var environment = Dictionary(uniqueKeysWithValues: Self.secrets.map { ($0.rawValue, Self.value(of: $0)) })
        environment["KAFKA_CONFIG_SSL_KEY_PASSWORD"] = "Xyzzy-4711-Xyzzy"
        let settings = try load(environment)
        var dumped = ""
        dump(settings, to: &dumped)
        for text in [
            settings.describe(), "\(settings.kafka)", "\(settings.kafka.saslPassword as Any)", "\(settings.redis)",
            String(reflecting: settings.postgres),
        ] {
            #expect(!text.contains("Xyzzy"), "\(text)")
        }
        #expect(settings.describe().contains("REDIS_URL=redis://user:***@localhost:6379/0"))
        #expect(settings.describe().contains("CLICKHOUSE_PASSWORD=***"))
        #expect(settings.describe().contains("KAFKA_CONFIG_SSL_KEY_PASSWORD=***"))
        #expect(!dumped.contains("Xyzzy"))
    }

    @Test(arguments: secrets) func aWrongSecretIsNotShown(_ name: SettingName) {
        // Each breaks its rule: NUL is in no secret, and a URL has a host.
        let wrong = name == .redisURL ? "redis://u:Xyzzy@/\0" : name == .cacheHMACKey ? "Xyzzy" : "Xyzzy\0"
        let found = problems([name.rawValue: wrong])
        #expect(found.map(\.name) == [name.rawValue])
        #expect(!SettingsError(problems: found).description.contains("Xyzzy"))
    }

    private static func all(_ settings: Settings) -> [String] {
        [
            settings.kafka.saslPassword, settings.postgres.password, settings.clickHouse.password,
            settings.redis.address.password, settings.redis.cacheHMACKey,
        ].map { $0?.reveal() ?? "" }
    }
}
