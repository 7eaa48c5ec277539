import Testing

@testable import RouterConfiguration

@Suite struct UnknownVariableTests {
    private func found(_ environment: [String: String]) -> [UnknownVariable] { UnknownVariable.all(in: environment) }

    @Test(arguments: [
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"), ("ROUTER_HTP_PORT", "ROUTER_HTTP_PORT"),
        ("CLICKHOUSE_PASSWORD_FIEL", "CLICKHOUSE_PASSWORD_FILE"), ("POSTGRES_METADATA_HOSTS", "POSTGRES_METADATA_HOST"),
        ("REDIS_URI", "REDIS_URL"), ("kafka_group_id", "KAFKA_GROUP_ID"),
    ])
    func isNamedWithTheNearest(name: String, nearest: String) {
        #expect(found([name: "x"]) == [UnknownVariable(name: name, nearest: nearest)])
    }

    @Test func hasNoNearestNameWhenNoneIsNear() {
        #expect(found(["ROUTER_FAVOURITE_COLOUR": ""]) == [UnknownVariable(name: "ROUTER_FAVOURITE_COLOUR")])
    }

    @Test func everySettingIsKnown() {
        let names = SettingName.allCases.flatMap { $0.isSecret ? [$0.rawValue, $0.fileName] : [$0.rawValue] }
        #expect(found(Dictionary(uniqueKeysWithValues: names.map { ($0, "") })).isEmpty)
    }

    @Test func othersAreLeftAlone() {
        #expect(
            found([
                "PATH": "/bin", "REDIS_TLS_PORT": "1", "POSTGRES_HOST": "a", "KAFKA_CONFIG_FETCH_MIN_BYTES": "1",
                "KAFKA_PORT": "tcp://10.0.0.1:9092", "KAFKA_PORT_9092_TCP_ADDR": "10.0.0.1",
                "CLICKHOUSE_SERVICE_HOST": "10.0.0.1", "CLICKHOUSE_SERVICE_PORT_HTTP": "8123",
            ]).isEmpty)
        #expect(found(["CLICKHOUSE_PORT": "8123"]).map(\.nearest) == ["CLICKHOUSE_HOST"])
    }
}
