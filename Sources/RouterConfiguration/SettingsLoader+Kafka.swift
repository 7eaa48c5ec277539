/// The `KAFKA_CONFIG_` settings, whose names are not known beforehand.
extension SettingsLoader {
    /// - Parameter check: says what librdkafka has against a property; nil when nothing.
    mutating func readKafkaProperties(check: (_ name: String, _ value: String) -> String?) {
        var names = Set<String>()
        for source in sources {
            names.formUnion(source.names.filter { $0.hasPrefix(KafkaProperties.prefix) })
        }
        guard names.count <= KafkaProperties.maxCount else {
            note(
                KafkaProperties.prefix + "…", source: nil,
                "there are \(names.count) of them, and at most \(KafkaProperties.maxCount) are read")
            return
        }
        for name in names.sorted() {
            for source in sources {
                guard let value = source.text(name, isSecret: true) else { continue }
                readKafkaProperty(name, value, source: source.label, check: check)
                break
            }
        }
    }

    private mutating func readKafkaProperty(
        _ name: String, _ value: String, source: String, check: (_ name: String, _ value: String) -> String?
    ) {
        guard let property = KafkaProperties.propertyName(of: name) else {
            note(name, source: source, "has to be KAFKA_CONFIG_ and a property's name in capitals, dots as underscores")
            return
        }
        let isSecret = KafkaProperties.holdsSecret(property)
        let shownValue = isSecret ? nil : value
        if let refusal = KafkaProperties.refusal(of: property) {
            note(name, value: shownValue, source: source, refusal)
        } else if value.utf8.count > KafkaProperties.maxValueBytes || value.utf8.contains(0) {
            note(
                name, source: source, "has to be at most \(KafkaProperties.maxValueBytes) bytes without NUL")
        } else if let explanation = check(property, value) {
            // librdkafka may quote the value in what it says.
            let explained = isSecret ? "librdkafka does not take this value, which is not shown" : explanation
            note(name, value: shownValue, source: source, explained)
        } else {
            kafkaProperties.append(KafkaProperty(name: property, value: value))
            shown.append(ShownSetting(name: name, value: isSecret ? Secret.mask : value, source: source))
        }
    }
}
