/// One setting of librdkafka by its own name, as `CONFIGURATION.md` of librdkafka lists them.
public struct KafkaProperty: Equatable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// True when the value has to stay out of logs and errors. It goes by the name, so that a property of a newer
    /// librdkafka is covered as well: a password, a key, a token, a keystore, or OAUTHBEARER's own settings.
    public var isSecret: Bool {
        ["password", "secret", "ssl.key", "_key", "keystore", "token", "oauthbearer.config", "ssl.certificate"]
            .contains { name.lowercased().contains($0) }
    }
}

/// Settings of librdkafka in the order in which they were given; a name given again replaces the earlier value.
public struct KafkaProperties: Equatable, Sendable {
    public private(set) var all: [KafkaProperty] = []

    public init() {}

    public init(_ properties: [KafkaProperty]) {
        for property in properties { self[property.name] = property.value }
    }

    /// The value of a property; setting nil removes it, so that librdkafka's default holds.
    public subscript(name: String) -> String? {
        get { all.first { $0.name == name }?.value }
        set {
            let index = all.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): all[index].value = value
            case (let index?, nil): all.remove(at: index)
            case (nil, let value?): all.append(KafkaProperty(name, value))
            case (nil, nil): break
            }
        }
    }

    /// These properties with `others` set on top.
    public func merging(_ others: KafkaProperties) -> KafkaProperties {
        var merged = self
        for property in others.all { merged[property.name] = property.value }
        return merged
    }
}

extension KafkaProperties: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements.map { KafkaProperty($0.0, $0.1) })
    }
}

extension KafkaProperty: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "\(name)=\(isSecret ? "[hidden]" : value)" }
    public var debugDescription: String { description }
    /// `dump` and a debugger print children instead of the description: there must be none that shows the value.
    public var customMirror: Mirror { Mirror(self, children: ["property": description]) }
}

extension KafkaProperties: CustomStringConvertible, CustomDebugStringConvertible {
    public var description: String { all.map(\.description).joined(separator: " ") }
    public var debugDescription: String { description }
}
