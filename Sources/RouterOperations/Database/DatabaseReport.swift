import RouterDatabase

/// What `router db status` and `router db upgrade` print.
public struct DatabaseReport: Sendable, Encodable {
    public struct Version: Sendable, Encodable {
        public var version: Int
        public var name: String
        public var state: DatabaseState.Standing
        /// RFC 3339; nil where it is not written down.
        public var appliedAt: String?

        enum CodingKeys: String, CodingKey {
            case version, name, state
            case appliedAt = "applied_at"
        }
    }

    public var database: String
    public var versions: [Version]
    /// Versions that a newer program has applied.
    public var unknown: [Int]
    /// What this run applied, in its order; empty for `db status`.
    public var applied: [Int] = []
    /// Whether the program works with the database as it is now.
    public var usable: Bool
    /// What a person should do or know; nil when there is nothing.
    public var remark: String?

    init(_ state: DatabaseState, database: String) {
        self.database = database
        versions = DatabaseVersions.all.map { version in
            Version(
                version: version.version, name: version.name, state: state.standing(of: version),
                appliedAt: state.applied.first { $0.version == version.version }?.appliedAt)
        }
        unknown = state.unknown.map(\.version)
        let problem = state.problem(database: database)
        usable = problem == nil
        remark = problem ?? state.remark(database: database)
    }

    public var table: TextTable {
        var table = TextTable([
            .init("VERSION", .right), .init("NAME", maxWidth: 32), .init("STATE", maxWidth: 16),
            .init("APPLIED AT", maxWidth: 24),
        ])
        for version in versions {
            table.add([
                "\(version.version)", version.name,
                version.state == .appliedByHand ? "applied by hand" : version.state.rawValue,
                version.appliedAt ?? "",
            ])
        }
        return table
    }

    public var needsPerson: Bool { !usable || remark != nil }
}
