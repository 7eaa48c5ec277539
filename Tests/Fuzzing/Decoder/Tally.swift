import Glibc

/// What the runs came to.
struct Tally {
    var executions = 0
    var validJSON = 0
    var accepted = 0
    var refused: [String: Int] = [:]

    /// One line of JSON on standard output; libFuzzer writes to standard error only.
    func report() {
        guard executions > 0 else { return }
        let reasons = refused.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        let share = Double(validJSON * 1000 / executions) / 10
        print(
            "{\"executions\":\(executions),\"valid_json\":\(validJSON),\"valid_json_percent\":\(share),"
                + "\"accepted\":\(accepted),\"refused\":{\(reasons)},\"disagreements\":0}")
        fflush(nil)
    }
}
