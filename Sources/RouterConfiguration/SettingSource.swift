import Configuration
import Foundation
import Yams

/// One place that settings come from. The environment and the file are kept apart, not merged into one reader, so that an
/// error can say where a wrong value stands and `NAME` and `NAME_FILE` are weighed within one place.
struct SettingSource {
    /// As it is shown to a person: `environment`, or the file's path.
    var label: String
    /// Every name that is set here, of ours or not.
    var names: Set<String>
    private var reader: ConfigReader

    /// A configuration file is a page or two; a limit keeps a wrong path from filling the memory.
    static let maxFileBytes = 1024 * 1024

    init(environment: [String: String]) {
        label = "environment"
        names = Set(environment.keys)
        reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
    }

    private init(label: String, values: [String: String]) {
        self.label = label
        names = Set(values.keys)
        let entries = values.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: true)) }
        reader = ConfigReader(
            provider: InMemoryProvider(name: label, values: Dictionary(uniqueKeysWithValues: entries)))
    }

    /// The text as it was written; nil when the name is not set here. Types are the rules' business: YAML's idea of a
    /// number (`0o17`, `1_000`) must not differ from the environment's.
    func text(_ name: String, isSecret: Bool) -> String? {
        guard names.contains(name) else { return nil }
        // The reader itself answers nil only for names that it rewrites (lower case, dots); none of ours is among them,
        // and what is must still be seen, to be refused by its name.
        return reader.string(forKey: ConfigKey([name]), isSecret: isSecret) ?? ""
    }

    // MARK: - The YAML file

    /// Reads a file of flat `NAME: value` lines. What is wrong with the file is added to `problems`, and what could be
    /// read is returned all the same, so that one message has all.
    static func file(_ path: String, problems: inout [SettingsProblem]) -> SettingSource? {
        func fail(_ explanation: String) -> SettingSource? {
            problems.append(SettingsProblem(name: path, value: nil, source: nil, explanation: explanation))
            return nil
        }
        guard let handle = FileHandle(forReadingAtPath: path) else {
            let exists = FileManager.default.fileExists(atPath: path)
            return fail(exists ? "this process may not read that file" : "there is no configuration file at that path")
        }
        defer { try? handle.close() }
        guard let data = try? handle.read(upToCount: maxFileBytes + 1) ?? Data() else {
            return fail("that file could not be read")
        }
        guard data.count <= maxFileBytes else { return fail("that file is longer than \(maxFileBytes) bytes") }
        guard let yaml = String(data: data, encoding: .utf8) else { return fail("that file is not valid UTF-8") }

        let node: Node?
        do {
            node = try compose(yaml: yaml)
        } catch let error as YamlError {
            return fail("that file is not valid YAML: \(explain(error))")
        } catch {
            return fail("that file is not valid YAML")
        }
        guard let node else { return SettingSource(label: path, values: [:]) }
        if let scalar = node.scalar, scalar.string.isEmpty { return SettingSource(label: path, values: [:]) }
        guard let mapping = node.mapping else { return fail("that file has to be lines of `NAME: value`") }
        return SettingSource(label: path, values: flatValues(of: mapping, path: path, problems: &problems))
    }

    private static func flatValues(
        of mapping: Node.Mapping, path: String, problems: inout [SettingsProblem]
    ) -> [String: String] {
        var values: [String: String] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                problems.append(
                    SettingsProblem(name: path, source: nil, explanation: "a name in it is not a plain text"))
                continue
            }
            if !isKnown(name) {
                let hint = SettingNames.nearest(to: name).map { "; did you mean \($0)?" } ?? ""
                problems.append(
                    SettingsProblem(name: name, source: path, explanation: "there is no setting of that name\(hint)"))
            } else if let scalar = value.scalar {
                values[name] = scalar.string
            } else {
                problems.append(
                    SettingsProblem(
                        name: name, source: path,
                        explanation: "has to be one value; lists and nested names are not read"))
            }
        }
        return values
    }

    private static func isKnown(_ name: String) -> Bool {
        SettingNames.all.contains(name) || KafkaProperties.propertyName(of: name) != nil
    }

    /// Where it is and what it is, without the line itself: the line may hold a secret.
    private static func explain(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            "line \(context.mark.line): given twice: \(duplicates.map { "\($0)" }.sorted().joined(separator: ", "))"
        default: "it could not be parsed"
        }
    }
}
