import Foundation
import Testing

@testable import RouterConfiguration

@Suite struct ReadmeTests {
    /// To renew the table, put the text that this test prints between the two marks.
    @Test func theReadmeHasTheTableOfSettings() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let begin = try #require(readme.range(of: "<!-- settings:begin"))
        let afterBegin = try #require(readme.range(of: "-->\n", range: begin.upperBound..<readme.endIndex))
        let end = try #require(readme.range(of: "<!-- settings:end -->"))
        let table = readme[afterBegin.upperBound..<end.lowerBound].trimmingCharacters(in: .newlines)
        let isSame = table == SettingDescription.markdownTable()
        #expect(isSame, "README.md has another table than:\n\(SettingDescription.markdownTable())")
    }

    @Test func theHelpNamesEverySetting() {
        let help = SettingDescription.plainTable()
        for name in SettingName.allCases { #expect(help.contains("  \(name.rawValue)")) }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 200 })
    }

    /// The README's example has to load; its secret files are not there, and that is all that may be wrong.
    @Test func theExampleInTheReadmeIsRight() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let begin = try #require(readme.range(of: "```yaml\n"))
        let end = try #require(readme.range(of: "```", range: begin.upperBound..<readme.endIndex))
        let found = problems(yaml: String(readme[begin.upperBound..<end.lowerBound]))
        #expect(found.count == 5)
        #expect(found.allSatisfy { $0.explanation == "there is no file at that path" })
    }
}
