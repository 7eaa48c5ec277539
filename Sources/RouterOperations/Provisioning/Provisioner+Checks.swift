import ClientStore
import RouterCore

extension Provisioner {
    /// What is to be done for one client, once it is clear that it may be.
    struct Work {
        var plan: SchemaPlan
        var versions: [SchemaVersion]
        var placement: SchemaLedger.Placement?
        var cluster: String?
        var remarks: [String] = []
    }

    /// - Parameter changes: whether Postgres may be told of it.
    func work(_ record: ClientRecord, changes: Bool) async throws -> Work {
        guard record.status != .deprovisioned else {
            throw SchemaStop.refused("the client is deprovisioned: its database stays gone; add it as a new client")
        }
        var placement = try await ledger.placement(record.id)
        var applied = try await ledger.applied(record.id)
        var progress = try await ledger.progress(record.id)
        let isBegun = placement != nil || !applied.isEmpty || !progress.isEmpty
        let exists = try await checkWhatIsThere(record, isBegun: isBegun)
        if isBegun, let cluster = options.cluster, placement?.cluster != cluster {
            throw SchemaStop.refused(
                "its database was made on \(placement?.cluster.map { "the cluster \($0)" } ?? "one server"), "
                    + "not on the cluster \(cluster)")
        }
        var remarks: [String] = []
        if !exists, !applied.isEmpty || !progress.isEmpty {
            if applied.contains(where: { $0.version == 1 }) { remarks.append("its table was gone and is made again") }
            if changes { try await ledger.forget(record.id) }
            (applied, progress) = ([], [:])
        }
        if placement == nil {
            placement = SchemaLedger.Placement(cluster: options.cluster)
            if changes { try await ledger.place(record.id, cluster: options.cluster) }
        }
        let versions: [SchemaVersion]
        let plan: SchemaPlan
        do {
            versions = try files.versions(of: record.id)
            plan = try SchemaPlan(
                versions: versions, applied: applied, progress: progress, database: record.databaseName,
                cluster: placement?.cluster, target: options.target, toleratesOtherBase: true)
        } catch let error as OperationError where error.code == "migration_invalid" {
            throw SchemaStop.refused(error.message)
        }
        if let other = plan.changed.first(where: { $0.version == 1 }) {
            remarks.append("the table was made by another edition of \(other.fileName); it fits")
        }
        return Work(plan: plan, versions: versions, placement: placement, cluster: placement?.cluster, remarks: remarks)
    }

    /// Refuses what is not this client's.
    ///
    /// - Parameter isBegun: the database was made for this client, or given to it, by an earlier run.
    /// - Returns: whether the table is there.
    private func checkWhatIsThere(_ record: ClientRecord, isBegun: Bool) async throws -> Bool {
        let database = ClientWarehouse(warehouse: warehouse, database: record.databaseName)
        let table = "\(record.databaseName).\(DestinationStatement.eventsTable)"
        let shape = try await database.shape()
        if shape.exists {
            if let misfit = shape.misfit {
                throw SchemaStop.refused(
                    "\(table) exists already and \(misfit): it is not a table of this router; drop or rename it, or "
                        + "give the client another database")
            }
            if record.status == .pending, try await database.holdsRows(notOf: record.id) {
                throw SchemaStop.refused(
                    "\(table) exists already and holds rows of another client; give this client another database")
            }
        }
        if record.status == .pending, !isBegun, !options.adopts {
            let contents = try await database.contents()
            if let first = contents.first {
                let others = contents.count > 1 ? " and \(contents.count - 1) more" : ""
                throw SchemaStop.refused(
                    "the database \(record.databaseName) exists already and was not made for this client: it holds "
                        + "the table \(first.name) (\(first.rows.grouped) rows)\(others); give the client another database, "
                        + "or take this one with --adopt")
            }
        }
        return shape.exists
    }

    /// Reads back what is there: a CREATE … IF NOT EXISTS says nothing about what it found.
    func verify(_ record: ClientRecord) async throws {
        let database = ClientWarehouse(warehouse: warehouse, database: record.databaseName)
        let table = "\(record.databaseName).\(DestinationStatement.eventsTable)"
        let shape = try await database.shape()
        guard shape.exists else {
            throw SchemaStop.refused("\(table) is not there though ClickHouse said that it was created")
        }
        if let misfit = shape.misfit { throw SchemaStop.refused("\(table) \(misfit)") }
        guard shape.deduplicationWindow >= TableShape.minDeduplicationWindow else {
            let setting = database.windowSetting(shape.engine)
            throw SchemaStop.refused(
                "\(table) remembers the deduplication tokens of \(shape.deduplicationWindow) parts only, so a row may be "
                    + "stored twice; run: ALTER TABLE \(table) MODIFY SETTING \(setting) = 10000")
        }
    }
}
