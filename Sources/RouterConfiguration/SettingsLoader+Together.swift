/// Rules about several settings at once. Each is judged only when its settings are right one by one: a second
/// complaint about the same typing error helps nobody.
extension SettingsLoader {
    mutating func checkTogether() {
        checkTopics()
        checkSASL()
        checkSizes()
    }

    private mutating func checkTopics() {
        guard values[.kafkaRawTopic] != nil, text(.kafkaRawTopic) == text(.kafkaDeadLetterTopic) else { return }
        noteTogether(
            .kafkaDeadLetterTopic, "has to differ from KAFKA_RAW_TOPIC, or dead letters would be read as events again")
    }

    private mutating func checkSASL() {
        guard let security = Settings.SecurityProtocol(rawValue: text(.kafkaSecurityProtocol)), security.usesSASL,
            let mechanism = Settings.SASLMechanism(rawValue: text(.kafkaSASLMechanism)), mechanism.needsPassword
        else { return }
        for name in [SettingName.kafkaSASLUsername, .kafkaSASLPassword] {
            let isNoted = problems.contains { $0.name == name.rawValue || $0.name == name.fileName }
            guard optionalText(name) == nil, !isNoted else { continue }
            noteTogether(name, "is needed with \(security.rawValue) and \(mechanism.rawValue)")
        }
    }

    private mutating func checkSizes() {
        guard let megabytes = integer(.memoryLimit) else { return }
        let memoryBytes = megabytes * SettingLimits.megabyte
        if let batchBytes = integer(.batchMaxBytes), batchBytes >= memoryBytes {
            noteTogether(
                .batchMaxBytes, "has to be less than ROUTER_MEMORY_LIMIT_MB, here \(memoryBytes) bytes")
            return
        }
        // The default of 1 MiB stands beside batches of any size: a batch takes the event that fills it whole. Only
        // who sets both can have meant something else by them.
        guard isGiven(.maxEventBytes), let eventBytes = integer(.maxEventBytes) else { return }
        guard !isGiven(.batchMaxBytes) || integer(.batchMaxBytes) != nil else { return }
        let batchBytes = Self.batchBytes(given: integer(.batchMaxBytes), memoryBytes: memoryBytes)
        if eventBytes > batchBytes {
            noteTogether(.maxEventBytes, "has to be at most ROUTER_BATCH_MAX_BYTES, here \(batchBytes) bytes")
        }
    }

    static func batchBytes(given: Int?, memoryBytes: Int) -> Int {
        given ?? min(SettingLimits.defaultBatchBytes, memoryBytes / 4)
    }

    private mutating func noteTogether(_ name: SettingName, _ explanation: String) {
        let value: String? =
            switch values[name] {
            case _ where name.isSecret: nil
            case .integer(let integer): String(integer)
            case .text(let text) where !text.isEmpty: text
            default: nil
            }
        note(name.rawValue, value: value, source: origins[name], explanation)
    }
}
