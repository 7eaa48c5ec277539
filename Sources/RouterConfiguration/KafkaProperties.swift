/// One librdkafka property given as `KAFKA_CONFIG_<NAME>`.
public struct KafkaProperty: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// librdkafka's name, `fetch.min.bytes`.
    public var name: String
    public var value: String

    /// Whether the value is masked wherever settings are shown. Judged by the name, and rather too often.
    public var isSecret: Bool { KafkaProperties.holdsSecret(name) }

    public var description: String { "\(name)=\(isSecret ? Secret.mask : value)" }
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

/// The `KAFKA_CONFIG_` settings: which there may be, and which not.
///
/// The names map back without loss: the properties of librdkafka 2.0.2 that have an underscore of their own
/// (`rebalance_cb`, `ssl_key`, ...) are pointers, which no text can set. `log_level` is the exception and has a
/// setting of ours, `LOG_LEVEL`.
enum KafkaProperties {
    static let prefix = "KAFKA_CONFIG_"
    /// librdkafka has fewer than 200 properties.
    static let maxCount = 200
    /// Longer than any chain of certificates in `ssl.ca.pem`.
    static let maxValueBytes = 64 * 1024

    /// Refused, with the reason: exact delivery rests on the value that the router itself sets.
    static let reserved: [String: String] = [
        "enable.auto.commit": "the router commits an offset when its rows are delivered, not by the clock",
        "enable.auto.offset.store": "the router alone decides which offset is done",
        "auto.offset.reset": "the router itself decides where to start, so that no event is skipped unseen",
        "group.id": "use KAFKA_GROUP_ID",
        "isolation.level": "the router reads what transactions have committed, and only that",
        "partition.assignment.strategy": "the router works with cooperative-sticky only",
        "acks": "a dead letter counts as sent once all in-sync replicas have it",
        "enable.idempotence": "a dead letter must not be sent twice by a retry",
    ]

    /// librdkafka's older names for reserved properties.
    private static let aliases = [
        "request.required.acks": "acks",
        "auto.commit.enable": "enable.auto.commit",
    ]

    /// `KAFKA_CONFIG_FETCH_MIN_BYTES` becomes `fetch.min.bytes`; nil for what cannot be a property's name.
    static func propertyName(of settingName: String) -> String? {
        guard settingName.hasPrefix(prefix) else { return nil }
        let name = settingName.utf8.dropFirst(prefix.utf8.count)
        let isName = name.allSatisfy { byte in
            HostRules.isAlphanumeric(byte) && !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || byte == UInt8(ascii: "_")
        }
        guard isName, !name.isEmpty, name.count <= 100, name.first != UInt8(ascii: "_") else { return nil }
        return String(decoding: name, as: UTF8.self).lowercased().replacing("_", with: ".")
    }

    /// Why this property is refused; nil when it is not.
    static func refusal(of property: String) -> String? {
        let name = aliases[property] ?? property
        guard let reason = reserved[name] else { return nil }
        let alias = name == property ? "" : " (another name of \(name))"
        return "\(property)\(alias) cannot be set, because delivery depends on it: \(reason)"
    }

    static func holdsSecret(_ property: String) -> Bool {
        ["password", "secret", "key", "pem", "token", "config"].contains { property.contains($0) }
    }
}
