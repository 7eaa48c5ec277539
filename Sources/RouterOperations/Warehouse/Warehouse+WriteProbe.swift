import ClickHouseClient
import RouterCore

extension Warehouse {
    /// Whether ClickHouse takes writes at all. No answer is a refusal: whoever asks has seen inserts fail.
    ///
    /// - Parameter prober: who asks, as the row will say.
    func writeProbe(prober: String) async -> WriteProbe.Outcome {
        do {
            try await ask(WriteProbe.insert(prober: prober))
            return .taken
        } catch let exception as ClickHouseException {
            return WriteProbe.outcome(code: exception.code, message: exception.description)
        } catch {
            return .refused(message: "\(error)")
        }
    }
}
