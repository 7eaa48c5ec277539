import Foundation
import RouterCore
import Testing

@testable import RouterOperations

@Suite struct SchemaStatementTests {
    private func statement(_ sql: String, cluster: String? = nil) throws -> SchemaStatement {
        try SchemaStatement(number: 1, line: 1, sql: sql, checksum: "", cluster: cluster)
    }

    @Test(arguments: [
        "CREATE TABLE IF NOT EXISTS d.t (a Int8) ENGINE = Memory", "CREATE OR REPLACE VIEW d.v AS SELECT 1",
        "drop table if exists d.t", "ALTER TABLE d.t ADD COLUMN IF NOT EXISTS a String DEFAULT concat('a', 'b')",
        "ALTER TABLE d.t ADD COLUMN IF NOT EXISTS a Int8, MODIFY TTL day + INTERVAL 1 DAY",
        "ALTER TABLE d.t MODIFY SETTING a = 1, b = 2", "ALTER TABLE d.t DROP COLUMN IF EXISTS a",
        "ALTER TABLE `add`.`drop` MODIFY COLUMN a String", "ALTER TABLE d.t MATERIALIZE COLUMN a",
        "ALTER TABLE d.t COMMENT COLUMN a 'x'", "-- router:repeatable\nINSERT INTO d.t SELECT 1", "TRUNCATE TABLE d.t",
    ])
    func mayRunTwice(sql: String) throws {
        #expect(try statement(sql).isRepeatable)
    }

    @Test(arguments: [
        "CREATE TABLE d.t (a Int8) ENGINE = Memory", "CREATE VIEW d.v AS SELECT 1 -- IF NOT EXISTS",
        "CREATE TABLE d.t (a String DEFAULT 'IF NOT EXISTS') ENGINE = Memory", "DROP TABLE d.t",
        "ALTER TABLE d.t ADD COLUMN a Int8", "ALTER TABLE d.t ADD COLUMN IF NOT EXISTS a Int8, ADD COLUMN b Int8",
        "ALTER TABLE d.t RENAME COLUMN a TO b", "ALTER TABLE d.t UPDATE a = a + 1 WHERE 1", "INSERT INTO d.t SELECT 1",
        "RENAME TABLE d.t TO d.u", "INSERT INTO d.t SELECT 'router:repeatable'",
    ])
    func mayNotRunTwice(sql: String) throws {
        #expect(try !statement(sql).isRepeatable)
    }

    @Test func whetherItsEffectCanBeSeenInTheTables() throws {
        #expect(try statement("ALTER TABLE d.t ADD COLUMN a Int8").changesSchema)
        #expect(try statement("RENAME TABLE d.t TO d.u").changesSchema)
        #expect(try !statement("ALTER TABLE d.t UPDATE a = 1 WHERE 1").changesSchema)
        #expect(try !statement("INSERT INTO d.t SELECT 1").changesSchema)
        #expect(try statement("INSERT INTO d.t SELECT 1").copiesRows)
    }

    @Test func aStatementIsMadeOneForACluster() throws {
        let name = "a`b"
        for (plain, clustered) in [
            ("CREATE DATABASE IF NOT EXISTS `d`", "CREATE DATABASE IF NOT EXISTS `d` ON CLUSTER `a\\`b`"),
            ("ALTER TABLE `d`.t ADD COLUMN a Int8", "ALTER TABLE `d`.t ON CLUSTER `a\\`b` ADD COLUMN a Int8"),
            ("DROP VIEW IF EXISTS `d;'x`.`v`", "DROP VIEW IF EXISTS `d;'x`.`v` ON CLUSTER `a\\`b`"),
            (
                "CREATE MATERIALIZED VIEW d.v TO d.t AS SELECT 1",
                "CREATE MATERIALIZED VIEW d.v ON CLUSTER `a\\`b` TO d.t AS SELECT 1"
            ),
            ("INSERT INTO d.t SELECT 1", "INSERT INTO d.t SELECT 1"),
            ("ALTER TABLE d.t ON CLUSTER c DROP COLUMN a", "ALTER TABLE d.t ON CLUSTER c DROP COLUMN a"),
            (
                "CREATE TABLE d.t (a Int8) ENGINE = SummingMergeTree(a) ORDER BY a",
                "CREATE TABLE d.t ON CLUSTER `a\\`b` (a Int8) ENGINE = "
                    + "ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', a) ORDER BY a"
            ),
            (
                "CREATE TABLE d.t (a Int8) ENGINE=MergeTree() ORDER BY a",
                "CREATE TABLE d.t ON CLUSTER `a\\`b` (a Int8) ENGINE="
                    + "ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY a"
            ),
            ("CREATE TABLE d.t (a Int8) ENGINE = Log", "CREATE TABLE d.t ON CLUSTER `a\\`b` (a Int8) ENGINE = Log"),
        ] {
            #expect(try statement(plain, cluster: name).sql == clustered)
            // Whether it may run twice is a question of what the author wrote.
            #expect(try statement(plain, cluster: name).isRepeatable == statement(plain).isRepeatable)
        }
        #expect(throws: ClusterSQLError.self) { try statement("RENAME TABLE d.t TO d.u", cluster: name) }
    }

    @Test func theShippedFilesForAClusterAreTheGoldenOnes() throws {
        let path = MigrationFilesTests.root.appending(path: "Tests/RouterOperationsTests/Golden/on_cluster.sql")
        var text = ""
        for version in try MigrationFiles(directory: nil).versions(of: MigrationFilesTests.client) {
            for statement in try version.statements(database: "client_x", cluster: "main") {
                text += "-- \(version.fileName), line \(statement.line)\n\(statement.sql);\n\n"
            }
        }
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try text.write(to: path, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: path, encoding: .utf8) == text)
    }

    @Test func theTableOfTheNeutralWriteIsMadeOnEveryServerOfACluster() throws {
        let plain = try WriteProbeTable.statements(cluster: nil)
        #expect(plain.allSatisfy { !$0.contains("ON CLUSTER") && !$0.contains("Replicated") })
        #expect(
            try WriteProbeTable.statements(cluster: "a`b") == [
                "CREATE DATABASE IF NOT EXISTS `router_internal` ON CLUSTER `a\\`b`",
                "CREATE TABLE IF NOT EXISTS `router_internal`.`write_probe` ON CLUSTER `a\\`b` "
                    + "(probed_at DateTime DEFAULT now(), prober String)\n"
                    + "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') "
                    + "ORDER BY probed_at TTL probed_at + INTERVAL 1 DAY",
            ])
        // Each `provision` and `migrate up` sends them again.
        for sql in plain { #expect(try statement(sql).isRepeatable) }
    }

    @Test func aUsersStatementsHoldNoPassword() throws {
        let user = ClientUser(database: "client_x", cluster: nil)
        #expect(
            try user.statements(passwordHash: "ab12") == [
                "CREATE USER `client_x` IDENTIFIED WITH sha256_hash BY 'ab12'",
                "GRANT SELECT ON `client_x`.* TO `client_x`",
            ])
        #expect(
            try ClientUser(database: "client_x", cluster: "main").statements(passwordHash: "ab12") == [
                "CREATE USER `client_x` ON CLUSTER `main` IDENTIFIED WITH sha256_hash BY 'ab12'",
                "GRANT ON CLUSTER `main` SELECT ON `client_x`.* TO `client_x`",
            ])
    }
}
