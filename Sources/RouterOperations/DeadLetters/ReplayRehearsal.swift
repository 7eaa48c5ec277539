import ClickHouseClient
import RouterCore

/// What a replay's inserts would come to, asked and not done: whether each client's table is there and has all columns.
/// It cannot see what only an insert meets: a constraint, a quota, a missing right to write.
final class ReplayRehearsal {
    private let warehouse: Warehouse
    private let unreadable: UnreadableDatabases
    /// By database; nil: it is well. One question for each, however many parts a replay has.
    private var faults: [String: String?] = [:]

    init(warehouse: Warehouse, unreadable: UnreadableDatabases) {
        self.warehouse = warehouse
        self.unreadable = unreadable
    }

    /// - Returns: in the order of the blocks.
    func outcomes(of blocks: [Reinserter.Block]) async throws -> [Reinserter.Outcome] {
        var outcomes: [Reinserter.Outcome] = []
        for block in blocks {
            let offsets = block.origins.map(\.offset)
            var outcome = Reinserter.Outcome()
            if let fault = try await fault(of: block) {
                outcome.refused = offsets.map { ($0, Refusal(.destinationUnavailable, fault)) }
            } else if unreadable.error(block.database) != nil {
                outcome.unknown = offsets
            } else {
                outcome.delivered = offsets
            }
            outcomes.append(outcome)
        }
        return outcomes
    }

    private func fault(of block: Reinserter.Block) async throws -> String? {
        if let known = faults[block.database] { return known }
        var fault: String?
        do {
            try await warehouse.ask(
                DestinationProbe.destination(database: block.database), attempts: UnreadableDatabases.attempts)
        } catch let exception as ClickHouseException where ServerVerdict(code: exception.code) == .destinationFault {
            fault = ReinsertAttempt.destinationFault(exception, of: block.client)
        } catch {
            try await unreadable.note(block.database, error)
        }
        faults.updateValue(fault, forKey: block.database)
        return fault
    }
}
