import Foundation
import RouterCore
import Testing

@Suite struct SchemaFileTests {
    private func split(_ text: String, _ placeholders: [String: String] = [:]) throws -> [String] {
        try SchemaFile(text, placeholders: placeholders).statements.map(\.sql)
    }

    @Test func semicolonsEndStatements() throws {
        #expect(try split("") == [])
        #expect(try split(" ;;\n; ") == [])
        #expect(try split("SELECT 1") == ["SELECT 1"])
        #expect(try split("SELECT 1;SELECT 2 ;\n\tSELECT 3\n") == ["SELECT 1", "SELECT 2", "SELECT 3"])
    }

    @Test(arguments: [
        "SELECT ';'", "SELECT 'a''; b'", #"SELECT 'a\'; b'"#, #"SELECT '\\', 1"#, "SELECT `;`, \";\"",
        "SELECT 1 -- ; '",
        "SELECT 1 # ; '", "SELECT /* ; ' */ 1", "SELECT $$ ; ' $$", "SELECT $tag$ ; $$ $other$ $tag$",
        "SELECT 5 - 3 / 2",
        "SELECT {x:UInt8}, {y: String}, '{shard}', {}, {'a': 1}", "SELECT $ 1",
        "CREATE TABLE t (x String DEFAULT '--')",
    ])
    func aSemicolonInsideOfSomethingEndsNothing(statement: String) throws {
        #expect(try split(statement + "\n;\nSELECT 2") == [statement, "SELECT 2"])
    }

    @Test func commentsAloneAreNoStatement() throws {
        #expect(try split("-- a; b\n/* c; d */\n# e\n") == [])
        #expect(try split("SELECT 1; -- the end") == ["SELECT 1"])
    }

    @Test func linesAreThoseOfTheFirstWord() throws {
        let file = try SchemaFile(
            "-- one\n\nSELECT 'a\nb';\n/* x\n y */ SELECT 2;\n\n{db};SELECT 4", placeholders: ["db": "X"])
        #expect(file.statements.map(\.line) == [3, 6, 8, 8])
    }

    @Test func placeholdersAreReplacedOutsideOfQuotesAndComments() throws {
        #expect(
            try split(
                "-- {nobody}\nUSE {database}; SELECT '{database}', \"{x}\" FROM {database}.t", ["database": "`d;'b`"])
                == ["-- {nobody}\nUSE `d;'b`", "SELECT '{database}', \"{x}\" FROM `d;'b`.t"])
    }

    @Test func whatIsWrongSaysWhere() {
        #expect(throws: SchemaFileError.unknownPlaceholder(name: "databse", line: 2)) {
            try SchemaFile("SELECT 1;\nUSE {databse}", placeholders: ["database": "x"])
        }
        for (text, what) in [
            ("SELECT 1;\n'abc", "a quoted text"), ("SELECT 1;\n'abc\\'", "a quoted text"), ("x\n/* a", "a comment"),
            ("x\n/*/", "a comment"), ("x\n$a$ b $$", "a heredoc"), ("x\n`a", "a quoted text"),
            ("x\n'a\\", "a quoted text"),
        ] {
            #expect(throws: SchemaFileError.unfinished(what: what, line: 2)) { try SchemaFile(text) }
        }
    }

    /// No text at all makes it crash or run for ever.
    @Test func anyTextIsAnErrorOrStatements() {
        let pieces = [
            "'", "\"", "`", "\\", "--", "#", "# ", "/*", "*/", "$", "$a$", "{", "}", "{a}", ";", "\n", "x", " ", "ä",
        ]
        var random = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }
            _ = try? SchemaFile(text.joined(), placeholders: ["a": "b"])
        }
    }

    @Test func theShippedTableHasAllColumnsThatAreInserted() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appending(path: "clickhouse/schemas/01_events_base.sql")
        let text = try String(contentsOf: path, encoding: .utf8)
        let statements = try split(text, ["database": Identifier.quoted("client_1")])
        #expect(statements.count == 2)
        let table = try #require(statements.last)
        #expect(table.contains("CREATE TABLE IF NOT EXISTS `client_1`.events_base"))
        for column in EventColumn.allCases {
            let line = table.split(separator: "\n").first { $0.drop { $0 == " " }.hasPrefix(column.name + " ") }
            let type = column.type.rawValue
            #expect(
                line?.contains(" \(type)") == true || line?.contains(" LowCardinality(\(type))") == true, "\(column)")
        }
    }
}
