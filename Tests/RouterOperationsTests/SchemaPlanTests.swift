import RouterCore
import Testing

@testable import RouterOperations

@Suite struct SchemaPlanTests {
    static let two = SchemaVersion(
        version: 2, name: "two", text: "CREATE VIEW {database}.a AS SELECT 1; SELECT 2; SELECT 3")
    static let three = SchemaVersion(version: 3, name: "three", text: "SELECT 4")
    static let versions = [MigrationFiles.base, two, three]

    private static func applied(_ version: SchemaVersion, _ checksum: String? = nil) -> SchemaLedger.Applied {
        .init(version: version.version, name: version.name, checksum: checksum ?? version.checksum)
    }

    private static func progress(
        _ version: SchemaVersion, _ number: Int, _ state: SchemaLedger.Progress.State, checksum: String? = nil
    ) throws -> SchemaLedger.Progress {
        // Checksums do not depend on the client's database: two clients' rows can be compared.
        let own = try version.statements(database: "other")[number - 1].checksum
        return .init(statement: number, checksum: checksum ?? own, state: state, queryID: "q")
    }

    private func plan(
        _ applied: [SchemaLedger.Applied], _ progress: [Int: [SchemaLedger.Progress]] = [:], target: Int? = nil,
        lenient: Bool = false
    ) throws -> SchemaPlan {
        try SchemaPlan(
            versions: Self.versions, applied: applied, progress: progress, database: "d", cluster: nil, target: target,
            toleratesOtherBase: lenient)
    }

    @Test func whatIsMissingComesInOrder() throws {
        #expect(try plan([]).steps.map(\.version.version) == [1, 2, 3])
        #expect(try plan([Self.applied(MigrationFiles.base)]).steps.map(\.version.version) == [2, 3])
        #expect(try plan([], target: 2).steps.map(\.version.version) == [1, 2])
        // A version below one that is applied is applied too: a client's own may have come first.
        let gap = try plan([Self.applied(MigrationFiles.base), Self.applied(Self.three)])
        #expect(gap.steps.map(\.version.version) == [2])
        #expect(gap.refusal == nil)
    }

    @Test func aVersionGoesOnAtTheStatementWhereItStopped() throws {
        let plan = try plan(
            [Self.applied(MigrationFiles.base)],
            [2: [Self.progress(Self.two, 1, .done), Self.progress(Self.two, 2, .failed, checksum: "another")]])
        #expect(plan.refusal == nil)
        #expect(plan.steps[0].open.map(\.number) == [2, 3])
    }

    @Test func aStatementThatIsDoneMayNotChange() throws {
        let changed = try plan([], [2: [Self.progress(Self.two, 1, .done, checksum: "another")]])
        #expect(changed.refusal?.contains("statement 1, which is done, was changed") == true)
        let gone = try plan([], [3: [.init(statement: 2, checksum: "x", state: .done, queryID: "q")]])
        #expect(gone.refusal?.contains("v3_three.sql") == true)
    }

    @Test func aFileChangedAfterItWasAppliedIsRefused() throws {
        let changed = try plan([Self.applied(MigrationFiles.base), Self.applied(Self.two, "00")])
        #expect(changed.refusal?.contains("v2_two.sql was changed after it was applied") == true)
        #expect(changed.changed == [Self.two])
        #expect(try plan([Self.applied(MigrationFiles.base, "00")]).refusal != nil)
        #expect(try plan([Self.applied(MigrationFiles.base, "00")], lenient: true).refusal == nil)
        #expect(try plan([Self.applied(Self.two, "00")], lenient: true).refusal != nil)
    }

    @Test func aVersionWithoutAFileIsKnownAsSuch() throws {
        let plan = try plan([.init(version: 9, name: "nine", checksum: "00")])
        #expect(plan.unknown.map(\.version) == [9])
        #expect(plan.refusal == nil)
    }

    @Test func statementsAreMadeForTheDatabaseWhateverItsName() throws {
        let sql = try Self.two.statements(database: "a`;'b")[0].sql
        #expect(sql == "CREATE VIEW `a\\`;'b`.a AS SELECT 1")
    }
}

@Suite struct LiveSchemaTests {
    private static func schema(_ tables: [String: String], _ database: String = "d") -> LiveSchema {
        LiveSchema(tables: tables.mapValues { LiveSchema.lines(of: $0, database: database) })
    }

    @Test func theDatabasesNameDoesNotMatter() {
        let one = Self.schema(["v": "CREATE VIEW d.v\nAS SELECT * FROM d.t, `d`.t, xd.t, ad.d.t"], "d")
        let two = Self.schema(["v": "CREATE VIEW e.v\nAS SELECT * FROM e.t, `e`.t, xd.t, ad.e.t"], "e")
        #expect(one == two)
        #expect(one.tables["v"]?[1].contains("xd.t") == true)
        #expect(one.fingerprint == two.fingerprint)
    }

    @Test func retentionIsNotAMigrationsAffair() {
        #expect(
            Self.schema(["t": "CREATE TABLE d.t\nTTL day + 1\nORDER BY a"])
                == Self.schema(["t": "CREATE TABLE d.t\nORDER BY a"]))
    }

    @Test func driftIsADiff() {
        let wanted = Self.schema(["t": "CREATE TABLE d.t\n(\n    a Int8,\n    b Int8\n)", "gone": "CREATE VIEW d.gone"])
        let found = Self.schema(["t": "CREATE TABLE d.t\n(\n    a Int8,\n    c Int8\n)", "more": "CREATE VIEW d.more"])
        #expect(
            found.difference(from: wanted) == [
                "gone: missing", "- CREATE VIEW {database}.gone", "more: not made by any migration",
                "+ CREATE VIEW {database}.more", "t: differs", "-     b Int8", "+     c Int8",
            ])
        #expect(wanted.difference(from: wanted).isEmpty)
        #expect(wanted.fingerprint != found.fingerprint)
    }
}
