import Foundation
import Testing

@testable import RouterConfiguration

/// Loads settings from the environment given, and a YAML file with the text given.
func load(_ environment: [String: String] = [:], yaml: String? = nil) throws(SettingsError) -> Settings {
    guard let yaml else { return try Settings.load(environment: environment, configPath: nil) }
    let file = TemporaryFile(yaml, name: "router.yaml")
    return try Settings.load(environment: environment, configPath: file.path)
}

/// The problems that loading ends with; empty when it succeeds.
func problems(_ environment: [String: String] = [:], yaml: String? = nil) -> [SettingsProblem] {
    do {
        _ = try load(environment, yaml: yaml)
        return []
    } catch {
        return error.problems
    }
}

/// A file in a folder of its own, both removed with the last reference.
final class TemporaryFile: Sendable {
    let path: String
    private let folder: String

    init(_ data: Data, name: String = "file") {
        folder = NSTemporaryDirectory() + "router-settings-" + UUID().uuidString
        path = folder + "/" + name
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: path, contents: data)
    }

    convenience init(_ text: String, name: String = "file") {
        self.init(Data(text.utf8), name: name)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }
}
