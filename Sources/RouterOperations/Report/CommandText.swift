/// An error as a command prints it: the message, and what to do about it.
enum CommandText {
    static func message(_ error: any Error) -> String {
        TextTable.oneLine("\(error)") + (ErrorAdvice.advice(for: error).map { "; \($0)" } ?? "")
    }
}
