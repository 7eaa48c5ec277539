import RouterCore
import Testing

@testable import RouterOperations

@Suite struct ProvisioningTests {
    private static func fitting() -> TableShape {
        TableShape(columns: TableShape.required, engine: "MergeTree", deduplicationWindow: 10_000)
    }

    @Test func theProgramCarriesTheSchemaFile() throws {
        let first = try #require([MigrationFiles.base].first)
        #expect(first.version == 1)
        let statements = try first.statements(database: "a`b")
        #expect(statements.count == 2)
        #expect(statements[0].sql.hasSuffix("CREATE DATABASE IF NOT EXISTS `a\\`b`"))
        #expect(first.checksum.count == 64)
    }

    /// The shape that is asked for is the one that the file makes: every column with its type stands there.
    @Test func theFileMakesTheRequiredColumns() throws {
        let table = try #require([MigrationFiles.base].first).statements(database: "d")[1].sql
        let definitions = table.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1) }
        for column in TableShape.required {
            let definition = definitions.first { $0.count == 2 && $0[0] == column.name }
            let rest = try #require(definition?[1].drop { $0 == " " }, "no line for \(column.name)")
            #expect(rest.hasPrefix(column.type + " "), "\(column.name): \(rest)")
        }
    }

    @Test func aTableWithMoreColumnsFits() {
        var shape = Self.fitting()
        shape.columns.append(.init(name: "country", type: "String"))
        shape.columns.shuffle()
        #expect(shape.misfit == nil)
    }

    @Test(arguments: TableShape.required.map(\.name))
    func aTableWithoutAColumnDoesNotFit(name: String) {
        var shape = Self.fitting()
        shape.columns.removeAll { $0.name == name }
        #expect(shape.misfit?.contains(name) == true)
    }

    @Test func aColumnOfAnotherTypeDoesNotFit() {
        var shape = Self.fitting()
        shape.columns[0].type = "String"
        #expect(shape.misfit?.contains("event_id as String and not as UUID") == true)
    }

    @Test(arguments: [
        ("MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192", 10_000),
        ("MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 0", 0),
        ("MergeTree ORDER BY a SETTINGS index_granularity = 8192", nil),
        ("MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = x", nil),
    ])
    func theWindowIsReadFromTheEngine(text: String, window: Int?) {
        #expect(TableShape.setting("non_replicated_deduplication_window", inEngine: text) == window)
    }
}
