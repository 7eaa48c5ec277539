/// Reads, checks and collects: every step adds its problems, and only the end decides whether there are settings.
struct SettingsLoader {
    /// The one that wins comes first.
    var sources: [SettingSource]
    var problems: [SettingsProblem]
    var values: [SettingName: SettingValue] = [:]
    /// Where each value came from; no entry for a default.
    var origins: [SettingName: String] = [:]
    var shown: [ShownSetting] = []
    var kafkaProperties: [KafkaProperty] = []

    mutating func readAll() {
        for description in SettingDescription.all { read(description) }
        checkTogether()
    }

    private mutating func read(_ description: SettingDescription) {
        let name = description.name
        for source in sources {
            if let given = given(name, in: source) {
                guard let text = given.text else { return }
                origins[name] = source.label
                accept(text, for: description, source: source.label, from: given.name)
                return
            }
        }
        if let text = description.defaultText {
            accept(text, for: description, source: nil, from: name.rawValue)
        } else {
            shown.append(ShownSetting(name: name.rawValue, value: "", source: nil))
        }
    }

    private struct Given {
        /// The setting's own name or that of its file.
        var name: String
        /// Nil when there is something, but it cannot be used; the problem has been noted.
        var text: String?
    }

    /// What this source says about the setting; nil when it says nothing.
    private mutating func given(_ name: SettingName, in source: SettingSource) -> Given? {
        let text = source.text(name.rawValue, isSecret: name.isSecret)
        // An empty NAME_FILE counts as not given: compose files pass variables on that way.
        guard name.isSecret, let path = source.text(name.fileName, isSecret: false), !path.isEmpty else {
            return text.map { Given(name: name.rawValue, text: $0) }
        }
        if let text, !text.isEmpty {
            note(
                name.rawValue, source: source.label,
                "is given together with \(name.fileName); give one of the two")
            return Given(name: name.rawValue, text: nil)
        }
        do {
            return Given(name: name.fileName, text: try SecretFile.read(path))
        } catch {
            note(name.fileName, value: path, source: source.label, error.explanation)
            return Given(name: name.fileName, text: nil)
        }
    }

    private mutating func accept(
        _ text: String, for description: SettingDescription, source: String?, from givenName: String
    ) {
        guard let value = description.rule.parse(text) else {
            let shownValue = description.isSecret ? nil : text
            let hidden = description.isSecret ? "the value, which is not shown, has to be " : "has to be "
            note(givenName, value: shownValue, source: source, hidden + description.allowed)
            return
        }
        values[description.name] = value
        shown.append(
            ShownSetting(
                name: description.name.rawValue, value: Self.shownText(text, of: description.name), source: source))
    }

    private static func shownText(_ text: String, of name: SettingName) -> String {
        switch name {
        // Where the cache is matters more to a person than that its URL may hold a password.
        case .redisURL: RedisAddress(text)?.masked ?? Secret.mask
        case _ where name.isSecret && !text.isEmpty: Secret.mask
        default: text
        }
    }

    mutating func note(_ name: String, value: String? = nil, source: String?, _ explanation: String) {
        problems.append(SettingsProblem(name: name, value: value, source: source, explanation: explanation))
    }

    // MARK: - What the settings say

    func text(_ name: SettingName) -> String {
        if case .text(let text) = values[name] { text } else { "" }
    }

    func optionalText(_ name: SettingName) -> String? {
        let text = text(name)
        return text.isEmpty ? nil : text
    }

    func secret(_ name: SettingName) -> Secret? {
        optionalText(name).map(Secret.init)
    }

    func integer(_ name: SettingName) -> Int? {
        if case .integer(let integer) = values[name] { integer } else { nil }
    }

    func boolean(_ name: SettingName) -> Bool {
        values[name] == .boolean(true)
    }

    func isGiven(_ name: SettingName) -> Bool { origins[name] != nil }
}
