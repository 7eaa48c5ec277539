import ClickHouseClient
import ClickHouseNative
import ClientStore
import RouterConfiguration
import RouterCore

/// ClickHouse: reach, version, what it can do, clock, disks; every client's table, and databases that are nobody's.
struct ClickHouseCheck {
    let settings: Settings
    let findings: Findings
    let known: KnownClients?

    private static let fullWarningShare = 0.15
    private static let fullFaultShare = 0.05

    func run() async {
        let questions = ClickHouseQuestions(settings: settings)
        defer { questions.shutdown() }
        do {
            let before = WallClock.milliseconds()
            var answer = try await questions.ask("SELECT version(), toUnixTimestamp64Milli(now64(3))")
            let after = WallClock.milliseconds()
            let version = try answer.readString()
            let theirs = try answer.readInt64()
            findings.ok("clickhouse.reach", "version \(version), answered in \(after - before) ms")
            ClockSkew.report("clickhouse.clock", theirs: theirs, before: before, after: after, findings)
        } catch {
            findings.unknown("clickhouse.reach", "\(error)", ErrorAdvice.advice(for: error))
            return
        }
        await check("clickhouse.settings") { try await serverSettings(questions) }
        await check("clickhouse.disks") { try await disks(questions) }
        await check("clickhouse.write_probe") { try await writeProbe(questions) }
        await check("clickhouse.tables") {
            guard let known else {
                return findings.unknown("clickhouse.tables", "without Postgres the clients' tables are not known")
            }
            try await ClientTablesCheck(known: known, findings: findings).run(questions)
        }
    }

    private func check(_ name: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            findings.unknown(name, "\(error)", ErrorAdvice.advice(for: error))
        }
    }

    private func serverSettings(_ questions: ClickHouseQuestions) async throws {
        var answer = try await questions.ask(
            """
            SELECT name, toString(value) FROM system.settings
             WHERE name IN ('insert_deduplication_token', 'insert_deduplicate', 'readonly')
            """)
        var values: [String: String] = [:]
        while !answer.isAtEnd { values[try answer.readString()] = try answer.readString() }
        if values["insert_deduplication_token"] == nil {
            findings.fault(
                "clickhouse.settings",
                "this server knows no insert_deduplication_token: a retried insert could double rows",
                "use ClickHouse 23.8 or later")
        } else if let readOnly = values["readonly"], readOnly != "0" {
            findings.fault(
                "clickhouse.settings", "the user '\(settings.clickHouse.user)' has readonly = \(readOnly)",
                "give it a profile without readonly, see deploy/clickhouse-grants.sql")
        } else {
            findings.ok("clickhouse.settings", "inserts can carry a token, and the user may write")
        }
    }

    /// Whether the server takes a row that has nothing to do with any client, as the service asks it.
    private func writeProbe(_ questions: ClickHouseQuestions) async throws {
        do {
            try await questions.carryOut(WriteProbe.insert(prober: "router doctor"))
            findings.ok("clickhouse.write_probe", "it takes a row into \(WriteProbe.quotedTable)")
        } catch let exception as ClickHouseException {
            switch WriteProbe.outcome(code: exception.code, message: exception.description) {
            case .missing, .taken:
                findings.fault(
                    "clickhouse.write_probe",
                    "there is no \(WriteProbe.quotedTable): the router cannot tell a client's trouble from the server's",
                    "router provision --all")
            case .refused(let message):
                findings.fault(
                    "clickhouse.write_probe", "it takes no row into \(WriteProbe.quotedTable): \(message)",
                    "while this lasts nothing is delivered and nobody is blamed: see the server's disks and load, and the "
                        + "rights of '\(settings.clickHouse.user)' (deploy/clickhouse-grants.sql)")
            }
        }
    }

    private func disks(_ questions: ClickHouseQuestions) async throws {
        var answer = try await questions.ask(
            "SELECT name, toUInt64(free_space), toUInt64(total_space) FROM system.disks WHERE total_space > 0")
        var worst: (name: String, share: Double)?
        while !answer.isAtEnd {
            let name = try answer.readString()
            let free = try answer.readUInt64()
            let share = Double(free) / Double(max(1, try answer.readUInt64()))
            if share < worst?.share ?? 2 { worst = (name, share) }
        }
        guard let worst else { return findings.ok("clickhouse.disks", "the server names no disk with a size") }
        let text = "disk '\(worst.name)' has \(Int(worst.share * 100))% free"
        let advice = "add disk, or drop what is not needed; inserts fail when it is full, and events wait in Kafka"
        switch worst.share {
        case ..<Self.fullFaultShare: findings.fault("clickhouse.disks", text, advice)
        case ..<Self.fullWarningShare: findings.warning("clickhouse.disks", text, advice)
        default: findings.ok("clickhouse.disks", text)
        }
    }
}
