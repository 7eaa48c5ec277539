import Foundation
import RouterConfiguration
import Synchronization

/// Standard output, where every write is checked.
///
/// A command's result that is lost on a full disk must not look like one that was shown. So the first error is kept, what
/// comes after it is dropped, and `finish` makes status and message of it, for every command: a command cannot forget it.
/// A command that goes on for long, or that has something to undo, asks in between.
enum StandardOutput {
    /// Ends a command whose output is lost; `finish` has the words for it.
    struct Failure: Error {}

    private struct State {
        /// errno of the first write that failed; 0 while all is well.
        var error: Int32 = 0
        /// What was done although it could not be told.
        var outcome: String?
        /// What was left undone because it could not be told.
        var undone: String?
    }

    private static let state = Mutex(State())

    /// What shells report of a program that SIGPIPE ended: 128 and the signal's number.
    private static let brokenPipeStatus = 128 + SIGPIPE

    /// To be called once, before anything is opened.
    ///
    /// A descriptor that the caller has closed would be given to the next connection, and the result written into it: it is
    /// taken here, by one that refuses. And a reader that goes away (`| head -1`) is an error of the write, where the signal
    /// would end the process in the middle of a migration.
    static func prepare() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest that is free is this one. Written to, what is open for reading only says EBADF, and the other
            // way round.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
        signal(SIGPIPE, SIG_IGN)
    }

    static func write(_ text: String) {
        state.withLock { state in
            guard state.error == 0 else { return }
            state.error = StandardStream.write(text, to: STDOUT_FILENO, waitsForRoom: true)
        }
    }

    /// For the error message, should the report be lost: what was done all the same. No secrets: it goes to standard error.
    static func outcome(_ text: String) { state.withLock { $0.outcome = text } }

    /// For a command that goes on as long as somebody reads.
    static func check() throws(Failure) {
        guard state.withLock({ $0.error == 0 }) else { throw Failure() }
    }

    /// Everything is written, and on the disk where it goes to one, before the command does what needs that.
    /// - Parameter undone: what is not done otherwise, as a sentence's end.
    static func settle(orElse undone: String) throws(Failure) {
        let isWell = state.withLock { state in
            // A pipe or a terminal has nothing to be synchronised and says EINVAL.
            if state.error == 0, fsync(STDOUT_FILENO) != 0, [EIO, ENOSPC, EDQUOT].contains(errno) {
                state.error = errno
            }
            if state.error != 0 { state.undone = undone }
            return state.error == 0
        }
        guard isWell else { throw Failure() }
    }

    /// The process's last word about its output.
    /// - Returns: the exit status: the command's own, but 1 where its output could not be written. A reader that went away
    ///   is no fault: nothing is said, and 0 becomes 141, as with other tools, since the output is not whole.
    static func finish(status: Int32) -> Int32 {
        let state = state.withLock { state in
            // Network file systems and quotas may refuse only now.
            if close(STDOUT_FILENO) != 0, state.error == 0, [EIO, ENOSPC, EDQUOT].contains(errno) {
                state.error = errno
            }
            return state
        }
        if state.error == 0 { return status }
        if state.error == EPIPE, state.undone == nil { return status == EXIT_SUCCESS ? brokenPipeStatus : status }
        Terminal.printError(message(state, status))
        return ExitStatus.failure.rawValue
    }

    private static func message(_ state: State, _ status: Int32) -> String {
        let reason = String(cString: strerror(state.error))
        var text = "router: output_failed: standard output could not be written: \(reason); "
        if let undone = state.undone {
            text += "\(undone); run the command again with its output elsewhere"
        } else if let outcome = state.outcome {
            text +=
                "what was done is done all the same: \(outcome.hasSuffix(".") ? String(outcome.dropLast()) : outcome)"
        } else {
            text += "what is there is not whole; run the command again with its output elsewhere"
        }
        if status == ExitStatus.attention.rawValue {
            text += "; something needs a person, the status would have been \(status)"
        }
        return text
    }
}
