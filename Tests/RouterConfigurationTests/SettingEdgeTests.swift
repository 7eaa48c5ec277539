import Testing

@testable import RouterConfiguration

/// Every setting at the edges of what it may be: the accepted values are read, the others named with their value.
@Suite struct SettingEdgeTests {
    struct Edge: Sendable, CustomTestStringConvertible {
        var name: SettingName
        var accepted: [String]
        var refused: [String]
        /// What the setting needs beside it, so that only its own rule speaks.
        var beside: [String: String] = [:]

        var testDescription: String { name.rawValue }
    }

    static let integers = [
        "", " 1", "1 ", "+1", "1.0", "1e3", "0x10", "1_000", "abc", "99999999999999999999", "-1", "١",
    ]
    static let longLabel = String(repeating: "a", count: 64)

    static let edges: [Edge] = [
        Edge(
            name: .kafkaBootstrapServers,
            accepted: ["a", "a:1", "a:65535", "a_b.c:9092,[::1]:9092,10.0.0.1:9092", "[fe80::1%eth0]:1"],
            refused: [
                "", ",", "a:0", "a:65536", "a:", "a:+1", "a,,b", "a b:1", ":9092", "[::1", "[a]:1", "::1", "a:1:2",
                "-a:1",
            ]),
        Edge(
            name: .kafkaRawTopic, accepted: ["a", "A.b_c-1", String(repeating: "t", count: 249)],
            refused: ["", ".", "..", "a b", "a/b", "ä", String(repeating: "t", count: 250)]),
        Edge(name: .kafkaDeadLetterTopic, accepted: ["d"], refused: ["", "a:b", "shared_raw_events"]),
        Edge(
            name: .kafkaGroupID, accepted: ["g", "a b", "ä", String(repeating: "g", count: 255)],
            refused: ["", "a\nb", "\u{7F}", String(repeating: "g", count: 256)]),
        Edge(
            name: .kafkaSecurityProtocol, accepted: ["PLAINTEXT", "ssl"], refused: ["", "TLS", "SASL"]),
        Edge(name: .kafkaSASLMechanism, accepted: ["plain", "SCRAM-SHA-512"], refused: ["", "SCRAM", "MD5"]),
        Edge(
            name: .kafkaSASLUsername, accepted: ["", "u"], refused: [String(repeating: "u", count: 256), "a\0b"]),
        Edge(name: .kafkaSASLPassword, accepted: ["", "p"], refused: [String(repeating: "p", count: 65537), "a\0b"]),
        Edge(name: .kafkaSSLCALocation, accepted: ["", "/"], refused: ["/does/not/exist", "/\0"]),
        Edge(
            name: .redisURL,
            accepted: [
                "redis://h", "redis://h:1", "redis://h/15", "redis://:p@h", "redis://u:p@h:6379/0",
                "redis://[::1]:6379",
                "REDIS://h", "redis://h/2147483647",
            ],
            refused: [
                "", "h:6379", "redis://", "rediss://h", "redis://h:0", "redis://h:65536", "redis://h/x", "redis://h/-1",
                "redis://h/2147483648", "redis://u@h", "redis://:%zz@h", "redis://h /0", "http://h", "redis://h/0?x=1",
            ]),
        Edge(
            name: .cacheHMACKey, accepted: ["", String(repeating: "k", count: 16)],
            refused: [String(repeating: "k", count: 15), String(repeating: "k", count: 65537)]),
        Edge(
            name: .postgresHost, accepted: ["db", "/var/run/postgresql", "::1"],
            refused: ["", "db:5432", "a b", "postgres://db", "/" + String(repeating: "p", count: 107)]),
        Edge(name: .postgresPort, accepted: ["1", "65535"], refused: integers + ["0", "65536"]),
        Edge(
            name: .postgresDatabase, accepted: ["a b", String(repeating: "d", count: 63)],
            refused: ["", String(repeating: "d", count: 64)]),
        Edge(name: .postgresUser, accepted: ["u"], refused: ["", "u\t", String(repeating: "d", count: 64)]),
        Edge(name: .postgresPassword, accepted: ["", " p "], refused: [String(repeating: "p", count: 65537)]),
        Edge(name: .postgresSSLMode, accepted: ["disable", "VERIFY-FULL"], refused: ["", "on", "verify"]),
        Edge(
            name: .clickHouseHost, accepted: ["h", "h.", "192.168.0.1", "::1"],
            refused: ["", "http://h", "h:8123", "h/", "a..b", longLabel, String(repeating: "a.", count: 127)]),
        Edge(name: .clickHousePortHTTP, accepted: ["1", "65535"], refused: integers + ["0", "65536"]),
        Edge(name: .clickHouseUser, accepted: ["u"], refused: ["", String(repeating: "u", count: 256)]),
        Edge(name: .clickHousePassword, accepted: ["", "p"], refused: ["p\0"]),
        Edge(
            name: .clickHouseSecure, accepted: ["true", "FALSE", "1", "0", "yes", "No"],
            refused: ["", "on", "y", "2", "truee"]),
        Edge(name: .httpHost, accepted: ["0.0.0.0", "::", "localhost"], refused: ["", "*", "127.0.0.1:8080"]),
        Edge(name: .httpPort, accepted: ["0", "65535"], refused: integers + ["65536"]),
        Edge(name: .batchMaxRows, accepted: ["1", "1048449"], refused: integers + ["0", "1048450"]),
        Edge(
            name: .batchMaxBytes, accepted: ["1024", "1073741824"], refused: integers + ["1023", "1073741825"],
            beside: ["ROUTER_MEMORY_LIMIT_MB": "2048"]),
        Edge(name: .batchMaxAge, accepted: ["1", "600000"], refused: integers + ["0", "600001"]),
        Edge(name: .memoryLimit, accepted: ["64", "1048576"], refused: integers + ["63", "1048577"]),
        Edge(
            name: .maxEventBytes, accepted: ["1", "104857600"], refused: integers + ["0", "104857601"],
            beside: ["ROUTER_BATCH_MAX_BYTES": "104857600"]),
        Edge(name: .destinationTimeout, accepted: ["1", "86400000"], refused: integers + ["0", "86400001"]),
        Edge(name: .shutdownTimeout, accepted: ["1", "3600000"], refused: integers + ["0", "3600001"]),
        Edge(name: .logLevel, accepted: ["trace", "CRITICAL"], refused: ["", "warn", "fatal"]),
        Edge(name: .logFormat, accepted: ["json", "Text"], refused: ["", "xml"]),
    ]

    @Test func everySettingHasItsEdges() {
        #expect(Set(Self.edges.map(\.name)) == Set(SettingName.allCases))
    }

    @Test(arguments: edges) func edge(_ edge: Edge) {
        for value in edge.accepted {
            let found = problems(edge.beside.merging([edge.name.rawValue: value]) { $1 })
            #expect(found.isEmpty, "\(value) was refused")
        }
        for value in edge.refused {
            let found = problems(edge.beside.merging([edge.name.rawValue: value]) { $1 })
            #expect(found.map(\.name) == [edge.name.rawValue], "\(value) was accepted")
            #expect(found.first?.source == "environment")
            #expect(found.first?.value == (edge.name.isSecret ? nil : value))
        }
    }

    @Test func everySettingIsInTheTableOnce() {
        #expect(SettingDescription.all.map(\.name.rawValue).sorted() == SettingName.allCases.map(\.rawValue).sorted())
    }

    @Test func acceptedWordsBecomeTheirCanonicalForm() throws {
        let settings = try load(["KAFKA_SECURITY_PROTOCOL": "ssl", "LOG_LEVEL": "Error", "CLICKHOUSE_SECURE": "YES"])
        #expect(settings.kafka.securityProtocol == .ssl)
        #expect(settings.log.level == .error)
        #expect(settings.clickHouse.isSecure)
        #expect(settings.clickHouse.port == 8443)
    }

    @Test func valuesReachTheirFields() throws {
        let settings = try load([
            "REDIS_URL": "redis://me:p%40ss@cache:7000/3", "POSTGRES_METADATA_DB": "meta", "ROUTER_HTTP_PORT": "0",
            "ROUTER_MEMORY_LIMIT_MB": "64", "ROUTER_DESTINATION_TIMEOUT_MS": "5", "CLICKHOUSE_PASSWORD": "pw",
        ])
        #expect(settings.redis.address.host == "cache")
        #expect(settings.redis.address.port == 7000)
        #expect(settings.redis.address.username == "me")
        #expect(settings.redis.address.password?.reveal() == "p@ss")
        #expect(settings.redis.address.database == 3)
        #expect(settings.postgres.database == "meta")
        #expect(settings.http.port == 0)
        #expect(settings.limits.memoryBytes == 64 * 1_048_576)
        #expect(settings.limits.destinationTimeoutMilliseconds == 5)
        #expect(settings.clickHouse.password?.reveal() == "pw")
        #expect(settings.postgres.password == nil)
    }
}
