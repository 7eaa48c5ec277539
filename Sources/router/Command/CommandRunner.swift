import ArgumentParser
import RouterOperations

/// Runs a command's work and turns its error into one readable message and the right status.
enum CommandRunner {
    static func run(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let code as ExitCode {
            throw code
        } catch let failure as StandardOutput.Failure {
            Terminal.progress("")
            throw failure
        } catch let error as ValidationError {
            throw error
        } catch {
            Terminal.progress("")
            Terminal.printError(message(error))
            throw ExitStatus.failure
        }
    }

    static func message(_ error: any Error) -> String {
        let advice = ErrorAdvice.advice(for: error).map { "; \($0)" } ?? ""
        return "router: \(TextTable.oneLine("\(error)"))\(advice)"
    }
}
