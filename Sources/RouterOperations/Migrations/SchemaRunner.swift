import ClickHouseClient
import ClickHouseNative
import RouterCore

/// Carries statements out on one client's database, so that a stop at any moment leaves the next run knowing where to go on.
///
/// Before a statement is sent, Postgres has a row that says so; afterwards, that it is done or what ClickHouse said. A row
/// that still says `started` is an unknown outcome: its query is waited for, and then
/// - a statement that may be run twice is run again;
/// - another one that changes tables is judged by whether the tables have changed since;
/// - what cannot be told is left to a person.
struct SchemaRunner: Sendable {
    struct Target: Sendable {
        var id: ClientID
        var database: String
        var cluster: String?
    }

    /// An exception that passes (too busy, out of memory) is met again at most so often; then a person is told.
    static let attempts = 3
    static let pauseMilliseconds = 100
    /// How long inserts that began before a backfill may take: their own limit is far below.
    static let insertsSeconds = 300
    /// A migration may copy a large table; a statement of a definition takes milliseconds.
    static let defaultStatementSeconds = 3600

    let warehouse: Warehouse
    let ledger: SchemaLedger
    var statementSeconds = SchemaRunner.defaultStatementSeconds

    /// - Returns: how many statements were sent.
    func carryOut(_ step: SchemaPlan.Step, on target: Target) async throws -> Int {
        var sent = 0
        for statement in step.statements {
            if let before = step.progress[statement.number] {
                if before.state == .done { continue }
                if try await isDone(statement, of: step.version, before, target) {
                    try await ledger.finish(target.id, version: step.version.version, statement: statement.number)
                    continue
                }
            }
            try await run(statement, of: step.version, target)
            sent += 1
        }
        try await ledger.complete(target.id, step.version)
        return sent
    }

    private func run(_ statement: SchemaStatement, of version: SchemaVersion, _ target: Target) async throws {
        for attempt in 1... {
            if statement.copiesRows { try await awaitInserts(target) }
            let before = statement.isRepeatable ? nil : try await fingerprint(target)
            let queryID = Self.queryID(target.id, version, statement)
            try await ledger.begin(
                target.id, version: version.version, statement: statement, queryID: queryID, schemaBefore: before)
            switch await warehouse.once(statement.sql, queryID: queryID, timeoutSeconds: statementSeconds) {
            case .acknowledged:
                return try await ledger.finish(target.id, version: version.version, statement: statement.number)
            case .exception(let exception):
                if attempt < Self.attempts, statement.isRepeatable, Warehouse.passes(exception) { break }
                try await ledger.finish(
                    target.id, version: version.version, statement: statement.number, error: "\(exception)")
                if let trouble = await warehouse.serverTrouble(exception) { throw trouble }
                throw SchemaStop.failed(
                    "ClickHouse refuses statement \(statement.number) of \(version.fileName) (line \(statement.line)): "
                        + "\(exception)")
            case .unknown(let fault):
                guard attempt < Self.attempts else { throw warehouse.unreachable(fault) }
                let row = SchemaLedger.Progress(
                    statement: statement.number, checksum: statement.checksum, state: .started, queryID: queryID,
                    schemaBefore: before)
                if try await isDone(statement, of: version, row, target) {
                    return try await ledger.finish(target.id, version: version.version, statement: statement.number)
                }
            }
            try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds * 5 * attempt))
        }
    }

    private static func queryID(_ id: ClientID, _ version: SchemaVersion, _ statement: SchemaStatement) -> String {
        "schema-\(id)-v\(version.version)-\(statement.number)-\(UInt64.random(in: .min ... .max))"
    }

    // MARK: Outcomes that nobody wrote down

    /// Whether a statement that was sent before took effect.
    private func isDone(
        _ statement: SchemaStatement, of version: SchemaVersion, _ before: SchemaLedger.Progress, _ target: Target
    ) async throws -> Bool {
        // Nothing of it may land any more, whatever it is.
        try await awaitEnd(of: before.queryID)
        if statement.isRepeatable { return false }
        let place = "statement \(statement.number) of \(version.fileName) (line \(statement.line))"
        guard statement.changesSchema else {
            // ClickHouse may have refused it after a part of its rows.
            throw SchemaStop.refused(
                "\(place) was sent and is not known to be done, and running it twice might do harm; see what it did, then: "
                    + "router migrate repair \(target.id) --migration \(version.version) --statement \(statement.number) "
                    + "--done (or --not-done) --reason TEXT")
        }
        // ClickHouse changes a table's definition as a whole or not at all.
        if before.state == .failed { return false }
        guard let fingerprint = before.schemaBefore else { return false }
        return try await self.fingerprint(target) != fingerprint
    }

    private func fingerprint(_ target: Target) async throws -> String {
        try await LiveSchema.read(warehouse, database: target.database).fingerprint
    }

    /// Waits until no query of that id runs.
    private func awaitEnd(of queryID: String) async throws {
        try await awaitNone(seconds: statementSeconds, "a statement of an earlier run (query id \(queryID))") {
            try await running("query_id = {q:String}", [("q", queryID)])
        }
    }

    /// Waits until the inserts into the client's table that run now are over: they began before the views that they have to
    /// fill were there, and their rows might land behind a copy that has read the table already.
    private func awaitInserts(_ target: Target) async throws {
        let table = Identifier.quoted(target.database) + "." + Identifier.quoted(DestinationStatement.eventsTable)
        let earlier = try await running(
            "startsWith(query, 'INSERT INTO ') AND position(query, {t:String}) > 0", [("t", table)])
        guard !earlier.isEmpty else { return }
        try await awaitNone(seconds: Self.insertsSeconds, "an insert that began before (\(earlier[0]))") {
            try await running(
                "has(splitByChar(',', {ids:String}), query_id)", [("ids", earlier.joined(separator: ","))])
        }
    }

    private func running(_ condition: String, _ parameters: [(String, String)]) async throws -> [String] {
        var reader = RowBinaryReader(
            try await warehouse.ask(
                "SELECT query_id FROM system.processes WHERE \(condition) FORMAT RowBinary", parameters))
        var ids: [String] = []
        while !reader.isAtEnd { ids.append(try reader.readString()) }
        return ids
    }

    private func awaitNone(seconds: Int, _ what: String, _ ask: () async throws -> [String]) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try await !ask().isEmpty {
            guard ContinuousClock.now < deadline else {
                throw SchemaStop.failed("\(what) still runs after \(seconds) s; run the command again when it is over")
            }
            try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
        }
    }
}
