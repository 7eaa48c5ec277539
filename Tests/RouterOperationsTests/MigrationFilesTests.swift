import Foundation
import RouterCore
import Testing

@testable import RouterOperations

@Suite struct MigrationFilesTests {
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let client = ClientID("1b4e28ba-2fa1-41d2-883f-0016d3cca427")!

    /// A folder with these files, gone when the body ends.
    private func folder<Value>(_ files: [String: String], _ body: (String) throws -> Value) throws -> Value {
        let path = FileManager.default.temporaryDirectory.appending(path: "migrations-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: path) }
        for (name, text) in files {
            let file = path.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return try body(path.path)
    }

    private func refusal(_ files: [String: String]) throws -> String {
        try folder(files) { path in
            do {
                _ = try MigrationFiles(directory: path).versions(of: Self.client)
                return "none"
            } catch let error as OperationError {
                return error.message
            }
        }
    }

    @Test func theProgramCarriesEveryFileOfTheRepository() throws {
        let carried = try MigrationFiles(directory: nil).versions(of: Self.client)
        let there = try MigrationFiles(directory: Self.root.appending(path: "clickhouse/migrations").path)
            .versions(of: Self.client)
        #expect(carried == there)
        #expect(carried.map(\.version) == Array(1...carried.count))
    }

    /// A file that was published is applied somewhere: its change would be refused there. Write a new one instead.
    @Test func aPublishedFileNeverChanges() throws {
        let sums = try MigrationFiles(directory: nil).versions(of: Self.client).map { "\($0.fileName) \($0.checksum)" }
        let golden = try String(
            contentsOf: Self.root.appending(path: "Tests/RouterOperationsTests/Golden/checksums.txt"), encoding: .utf8)
        #expect(sums == golden.split(separator: "\n").map(String.init))
    }

    @Test func everyShippedStatementMayRunTwice() throws {
        for version in try MigrationFiles(directory: nil).versions(of: Self.client) {
            for statement in try version.statements(database: "d") {
                #expect(statement.isRepeatable, "\(version.fileName), line \(statement.line)")
            }
        }
    }

    @Test func sharedAndOwnFilesMakeOneOrder() throws {
        let own = "clients/\(Self.client)/v1001_own.sql"
        let versions = try folder([
            "v2_a.sql": "SELECT 2", "v3_b.sql": "SELECT 3", own: "SELECT 4", "notes.txt": "no",
            "clients/0b4e28ba-2fa1-41d2-883f-0016d3cca427/v2_x.sql": "SELECT 5",
        ]) { try MigrationFiles(directory: $0).versions(of: Self.client) }
        #expect(versions.map(\.version) == [1, 2, 3, 1001])
        #expect(versions.map(\.isOwn) == [false, false, false, true])
    }

    @Test func whatIsWrongWithAFolderIsSaid() throws {
        #expect(try refusal(["v2_a.sql": "", "v4_b.sql": ""]).contains("no v3_"))
        #expect(try refusal(["v3_b.sql": ""]).contains("no v2_"))
        #expect(try refusal(["v2_a.sql": "", "v2_b.sql": ""]).contains("two files of version 2"))
        #expect(try refusal(["v2_a.sql": "", "clients/\(Self.client)/v2_b.sql": ""]).contains("there twice"))
        for name in [
            "v1_a.sql", "v02_a.sql", "2_a.sql", "v2.sql", "v2_.sql", "v2_A.sql", "v2_a b.sql", "v100000_a.sql",
            "v٢_a.sql",
        ] {
            #expect(try refusal([name: ""]).contains("is not named vN_name.sql"), "\(name)")
        }
        #expect(throws: OperationError.self) { try MigrationFiles(directory: "/no/such/folder") }
        #expect(try refusal(["v2_a.sql": "SELECT 'a\u{0}b'"]).contains("not UTF-8 text"))
    }

    @Test func newFilesAreNumberedOn() throws {
        try folder(["v2_a.sql": ""]) { path in
            #expect(
                try MigrationScaffold.make(name: "Visitor's  country!", directory: path, client: nil)
                    == "\(path)/v3_visitor_s_country.sql")
            let own = try MigrationScaffold.make(name: "b", directory: path, client: Self.client)
            #expect(own == "\(path)/clients/\(Self.client)/v1001_b.sql")
            #expect(
                try MigrationScaffold.make(name: "c", directory: path, client: Self.client).hasSuffix("v1002_c.sql"))
            let versions = try MigrationFiles(directory: path).versions(of: Self.client)
            #expect(versions.map(\.version) == [1, 2, 3, 1001, 1002])
            #expect(try versions[2].statements(database: "d").isEmpty)
            #expect(throws: OperationError.self) {
                try MigrationScaffold.make(name: "--- ;", directory: path, client: nil)
            }
        }
    }
}
