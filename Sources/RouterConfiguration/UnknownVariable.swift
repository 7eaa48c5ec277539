/// A variable of the environment that looks like a setting and is none: a misspelt name would be ignored in silence, and the
/// default taken in its place.
public struct UnknownVariable: Sendable, Equatable {
    public var name: String
    /// The setting that was probably meant.
    public var nearest: String?

    /// Beginnings that are ours.
    private static let prefixes = ["KAFKA_", "ROUTER_", "CLICKHOUSE_", "POSTGRES_METADATA_"]
    /// More edits than these make another program's variable: many have a REDIS_ of their own.
    private static let maxRedisEdits = 2

    /// In the order of their names. The values are looked at no further than a link to a service is told by them.
    public static func all(in environment: [String: String]) -> [UnknownVariable] {
        environment.keys.filter { name in
            !SettingNames.all.contains(name) && !name.hasPrefix(KafkaProperties.prefix) && resemblesSetting(name)
                && !isServiceLink(name, environment[name] ?? "")
        }
        .sorted()
        .map { UnknownVariable(name: $0, nearest: SettingNames.nearest(to: $0)) }
    }

    /// A name in small letters is none of ours either, and is as easily taken for one.
    private static func resemblesSetting(_ name: String) -> Bool {
        let upper = name.uppercased()
        if prefixes.contains(where: { upper.hasPrefix($0) }) { return true }
        // The distance grows with the difference of the lengths at least, so that long names need not be compared.
        return [SettingName.redisURL.rawValue, SettingName.redisURL.fileName].contains { known in
            abs(upper.utf8.count - known.utf8.count) <= maxRedisEdits
                && SettingNames.edits(Array(upper.utf8), Array(known.utf8)) <= maxRedisEdits
        }
    }

    /// Kubernetes and Docker's links put the addresses of services into the environment: a service `kafka` makes
    /// `KAFKA_SERVICE_HOST`, `KAFKA_PORT=tcp://…` and `KAFKA_PORT_9092_TCP_ADDR`. Nobody has misspelt those.
    private static func isServiceLink(_ name: String, _ value: String) -> Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") { return true }
        if name.contains("_PORT_"), ["_TCP", "_UDP"].contains(where: { name.contains($0) }) { return true }
        return name.hasSuffix("_PORT") && ["tcp://", "udp://"].contains { value.hasPrefix($0) }
    }
}
