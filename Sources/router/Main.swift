import ArgumentParser
import Foundation

/// Parses, runs, and ends the process.
///
/// It ends by `_exit`. exit(3) would run the destructors of libraries (OpenSSL frees its locks there) while threads that
/// were left behind on purpose are still inside of them: a question to a server that hangs is not waited for. A router
/// that ended with an error crashed there, in one run of some hundred. Nothing is lost: whatever is printed goes out by write(2).
@main
enum Main {
    static func main() async {
        StandardOutput.prepare()
        var status = EXIT_SUCCESS
        do {
            var command = try Router.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch is StandardOutput.Failure {
            // `finish` has the status and the words for it.
        } catch {
            // As `ParsableArguments.exit(withError:)` does: help and the version are no errors.
            status = Router.exitCode(for: error).rawValue
            let text = Router.fullMessage(for: error)
            if !text.isEmpty {
                if status == EXIT_SUCCESS { Terminal.printLines([text]) } else { Terminal.printError(text) }
            }
        }
        status = StandardOutput.finish(status: status)
        fflush(nil)
        _exit(status)
    }
}
