import Synchronization

/// What the checks have found so far. They run side by side, each adds its own.
final class Findings: Sendable {
    private let checks = Mutex<[DoctorCheck]>([])

    var all: [DoctorCheck] { checks.withLock { $0 } }

    func ok(_ name: String, _ detail: String) { add(name, .ok, detail, nil) }
    func warning(_ name: String, _ detail: String, _ advice: String) { add(name, .warning, detail, advice) }
    func fault(_ name: String, _ detail: String, _ advice: String) { add(name, .fault, detail, advice) }
    func unknown(_ name: String, _ detail: String, _ advice: String? = nil) { add(name, .unknown, detail, advice) }

    private func add(_ name: String, _ outcome: DoctorCheck.Outcome, _ detail: String, _ advice: String?) {
        let check = DoctorCheck(
            name: name, outcome: outcome, detail: TextTable.oneLine(detail), advice: advice.map(TextTable.oneLine))
        checks.withLock { $0.append(check) }
    }

    /// Makes one check; what it throws is "could not be looked at".
    func check(_ name: String, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            unknown(name, "\(error)", ErrorAdvice.advice(for: error))
        }
    }

    /// The first few of many, for a sentence.
    static func some(_ names: [String], limit: Int = 5) -> String {
        names.prefix(limit).joined(separator: ", ")
            + (names.count > limit ? " and \((names.count - limit).grouped) more" : "")
    }
}
