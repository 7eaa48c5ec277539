import ClientStore
import RouterCore

/// What of a client's schema is done, and what is to be done: a pure reckoning from the files and from what is written down.
struct SchemaPlan: Sendable {
    /// One version that is not complete.
    struct Step: Sendable {
        var version: SchemaVersion
        var statements: [SchemaStatement]
        /// By the statement's number; nothing of a version that was not begun.
        var progress: [Int: SchemaLedger.Progress] = [:]

        var open: [SchemaStatement] { statements.filter { progress[$0.number]?.state != .done } }
    }

    /// In the order in which they are to be carried out.
    var steps: [Step] = []
    /// Versions whose file is another one than was applied.
    var changed: [SchemaVersion] = []
    /// Versions that were applied and that no file is there for: an older program, or another folder.
    var unknown: [SchemaLedger.Applied] = []
    /// Why nothing may be done; nil when it may.
    var refusal: String?

    /// - Parameters:
    ///   - target: versions above it are left for later.
    ///   - toleratesOtherBase: another edition of version 1 is no refusal: what the table is gets checked otherwise.
    init(
        versions: [SchemaVersion], applied: [SchemaLedger.Applied], progress: [Int: [SchemaLedger.Progress]],
        database: String, cluster: String?, target: Int? = nil, toleratesOtherBase: Bool = false
    ) throws {
        let known = Dictionary(applied.map { ($0.version, $0) }, uniquingKeysWith: { $1 })
        unknown = applied.filter { one in !versions.contains { $0.version == one.version } }
        for version in versions {
            if let before = known[version.version] {
                if before.checksum != version.checksum { changed.append(version) }
                continue
            }
            guard version.version <= target ?? Int.max else { continue }
            var step = Step(version: version, statements: try version.statements(database: database, cluster: cluster))
            step.progress = Dictionary(
                (progress[version.version] ?? []).map { ($0.statement, $0) }, uniquingKeysWith: { $1 })
            if refusal == nil { refusal = Self.refusal(step) }
            steps.append(step)
        }
        if let first = changed.first(where: { $0.version > 1 || !toleratesOtherBase }) {
            refusal =
                "\(first.fileName) was changed after it was applied to this client; put the file back as it was "
                + "and write the change as a new migration, or accept it: router migrate repair CLIENT_ID --migration "
                + "\(first.version) --accept-checksum --reason TEXT"
        }
    }

    /// What was done may not have been rewritten since; what failed may.
    private static func refusal(_ step: Step) -> String? {
        for done in step.progress.values.sorted(by: { $0.statement < $1.statement }) where done.state == .done {
            guard done.statement <= step.statements.count,
                step.statements[done.statement - 1].checksum == done.checksum
            else {
                return
                    "\(step.version.fileName) is half applied to this client, and its statement \(done.statement), which "
                    + "is done, was changed since; put that statement back as it was (those that are not done may be changed)"
            }
        }
        return nil
    }
}

/// Why one client's schema does not go on. The next client is not concerned.
enum SchemaStop: Error {
    /// A person has to decide.
    case refused(String)
    /// ClickHouse refused a statement; the next run goes on there.
    case failed(String)
}
