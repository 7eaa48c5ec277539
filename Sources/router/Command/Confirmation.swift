import ArgumentParser
import Foundation
import RouterOperations

/// The word of a person before something goes that cannot come back.
enum Confirmation {
    /// Asks for a client's name on a terminal.
    /// - Throws: 64 where there is no terminal to ask on, 1 when the answer is another one.
    static func ask(forName name: String, what: String) throws {
        guard isatty(STDIN_FILENO) == 1, Terminal.isErrorTerminal else {
            Terminal.printError(
                "router: \(what) cannot be undone, and there is no terminal to ask on; give --yes when it is meant")
            throw ExitStatus.usage
        }
        Terminal.prompt("To go on, type the client's name (\(TextTable.printable(name))): ")
        guard
            readLine(strippingNewline: true)?.trimmingCharacters(in: .whitespaces)
                == name.trimmingCharacters(in: .whitespaces)
        else {
            Terminal.printError("router: that is not the client's name; nothing was done")
            throw ExitStatus.failure
        }
    }
}
