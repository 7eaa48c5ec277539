import Foundation
import Testing

@testable import RouterConfiguration

@Suite struct SettingsFileTests {
    @Test func theEnvironmentWinsOverTheFileAndTheFileOverTheDefault() throws {
        let yaml = "KAFKA_GROUP_ID: from-file\nROUTER_HTTP_PORT: 9000 # a comment\nCLICKHOUSE_SECURE: yes\n"
        let settings = try load(["KAFKA_GROUP_ID": "from-environment"], yaml: yaml)
        #expect(settings.kafka.groupID == "from-environment")
        #expect(settings.http.port == 9000)
        #expect(settings.clickHouse.isSecure)
        #expect(settings.batch.maxRows == 200_000)
        let sources = Dictionary(uniqueKeysWithValues: settings.shown.map { ($0.name, $0.source) })
        #expect(sources["KAFKA_GROUP_ID"] == "environment")
        #expect(sources["ROUTER_HTTP_PORT"]??.hasSuffix("/router.yaml") == true)
        #expect(sources["ROUTER_BATCH_MAX_ROWS"] == .some(nil))
    }

    @Test func anEmptyEnvironmentValueIsAValue() {
        #expect(problems(["KAFKA_GROUP_ID": ""], yaml: "KAFKA_GROUP_ID: g").map(\.name) == ["KAFKA_GROUP_ID"])
    }

    @Test func aWrongEnvironmentValueIsNotCoveredByTheFile() {
        #expect(problems(["ROUTER_HTTP_PORT": "x"], yaml: "ROUTER_HTTP_PORT: 1").first?.source == "environment")
    }

    @Test func numbersAreReadAsTheyAreWritten() {
        for value in ["0x1F90", "0o17", "8_080", "8080.0", "1e3", "!!int 8080x"] {
            #expect(problems(yaml: "ROUTER_HTTP_PORT: \(value)").map(\.name) == ["ROUTER_HTTP_PORT"], "\(value)")
        }
        #expect(problems(yaml: "ROUTER_HTTP_PORT: \"8080\"\nKAFKA_GROUP_ID: 17").isEmpty)
    }

    @Test(arguments: ["", "\n", "# nothing\n", "---\n", "{}"]) func emptyFilesAreFine(_ yaml: String) {
        #expect(problems(yaml: yaml).isEmpty)
    }

    @Test func unknownNamesAreErrorsInTheFileOnly() {
        #expect(problems(["ROUTER_UNKNOWN": "1", "KAFKA_UNKNOWN": "1"]).isEmpty)
        let found = problems(yaml: "kafka_group_id: g\nCOMPLETELY_DIFFERENT_THING: 1\nKAFKA_GROUPID: g\n")
        #expect(found.count == 3)
        #expect(found[0].explanation.hasSuffix("did you mean KAFKA_GROUP_ID?"))
        #expect(!found[1].explanation.contains("did you mean"))
        #expect(found[2].explanation.hasSuffix("did you mean KAFKA_GROUP_ID?"))
    }

    @Test(arguments: [
        "KAFKA_GROUP_ID: [a, b]", "KAFKA_GROUP_ID:\n  nested: 1", "KAFKA_GROUP_ID: 1\nKAFKA_GROUP_ID: 2",
        "KAFKA_GROUP_ID: [", "- KAFKA_GROUP_ID", "just text", "? [a]\n: b", "KAFKA_GROUP_ID: \"x", "\t- x: [",
        "KAFKA_GROUP_ID: *nowhere", "a: 1\n---\nb: 2", "KAFKA_GROUP_ID:",
    ]) func whatIsNotFlatYAMLIsAnError(_ yaml: String) {
        #expect(problems(yaml: yaml).count == 1)
    }

    @Test func aBrokenFileDoesNotShowItsLines() {
        let found = problems(yaml: "POSTGRES_METADATA_PASSWORD: \"hunter2\nKAFKA_GROUP_ID: [")
        #expect(found.count == 1)
        #expect(!SettingsError(problems: found).description.contains("hunter2"))
    }

    @Test func bytesThatAreNoTextAreAnError() throws {
        let file = TemporaryFile(Data([0xFF, 0xFE, 0x00]))
        let error = #expect(throws: SettingsError.self) {
            try Settings.load(environment: [:], configPath: file.path)
        }
        #expect(error?.problems.first?.explanation == "that file is not valid UTF-8")
    }

    @Test func theFilesSizeIsLimited() throws {
        let limit = SettingSource.maxFileBytes
        let atLimit = "#" + String(repeating: "x", count: limit - 2) + "\n"
        #expect(problems(yaml: atLimit).isEmpty)
        #expect(problems(yaml: atLimit + "\n").first?.explanation == "that file is longer than \(limit) bytes")
    }

    @Test func deepNestingIsRefusedAndNotACrash() {
        #expect(problems(yaml: "KAFKA_GROUP_ID: " + String(repeating: "[", count: 100_000)).count == 1)
    }

    @Test func aMissingFileIsNamedBesideTheOtherProblems() {
        let error = #expect(throws: SettingsError.self) {
            try Settings.load(environment: ["LOG_FORMAT": "x"], configPath: "/no/such/router.yaml")
        }
        #expect(error?.problems.map(\.name) == ["/no/such/router.yaml", "LOG_FORMAT"])
    }
}
