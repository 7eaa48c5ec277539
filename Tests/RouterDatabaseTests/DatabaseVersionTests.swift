import Foundation
import RouterTestSupport
import Testing

@testable import RouterDatabase

/// The list of the program against the folder that it stands for.
struct DatabaseVersionTests {
    static let folder = TestServers.repository.appending(path: "postgres/sql")

    @Test func everyFileIsCarriedInItsOrder() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
            .filter { $0.hasSuffix(".sql") }.sorted()
        #expect(DatabaseVersions.all.map(\.fileName) == files, "give a new file a line in DatabaseVersions.all")
        for version in DatabaseVersions.all {
            let text = try String(contentsOf: Self.folder.appending(path: version.fileName), encoding: .utf8)
            #expect(version.text == text)
            #expect(version.checksum.count == 64)
        }
        #expect(Set(DatabaseVersions.all.map(\.version)).count == DatabaseVersions.all.count)
    }

    @Test func aFileTellsItsTables() {
        #expect(DatabaseVersions.all[0].tables == ["clients"])
        #expect(DatabaseVersions.record.tables == ["router_schema"])
    }

    @Test func standingGoesByTheRecordThenByTheTables() {
        let (first, record) = (DatabaseVersions.all[0], DatabaseVersions.record)
        let byHand = DatabaseState(applied: [], missingTables: [])
        #expect(byHand.standing(of: first) == .appliedByHand)
        #expect(byHand.problem(database: "d") == nil)

        let lacking = DatabaseState(applied: [], missingTables: ["router_schema"])
        #expect(lacking.missing.map(\.version) == [record.version])
        #expect(lacking.problem(database: "d")?.contains("router db upgrade") == true)
        #expect(lacking.problem(database: "d")?.contains(record.fileName) == true)

        let applied = DatabaseState.Applied(
            version: first.version, name: first.name, checksum: first.checksum, appliedAt: "")
        var other = applied
        other.checksum = String(repeating: "0", count: 64)
        #expect(DatabaseState(applied: [applied], missingTables: []).standing(of: first) == .applied)
        #expect(DatabaseState(applied: [other], missingTables: []).standing(of: first) == .changed)
        #expect(DatabaseState(applied: [applied], missingTables: ["clients"]).standing(of: first) == .missing)
    }

    @Test func aNewerDatabaseIsARemarkAndNoProblem() {
        let newer = DatabaseState.Applied(version: 9_999, name: "later", checksum: "", appliedAt: "")
        let state = DatabaseState(applied: [newer], missingTables: [])
        #expect(state.problem(database: "d") == nil)
        #expect(state.remark(database: "d")?.contains("9999") == true)
    }
}
