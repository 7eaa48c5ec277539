import ArgumentParser

/// How a command ends; scripts rely on the numbers.
enum ExitStatus {
    /// It failed, or what it had to tell could not be written.
    static let failure = ExitCode(1)
    /// It is done, but something needs a person.
    static let attention = ExitCode(2)
    /// Wrong usage or settings, sysexits' EX_USAGE: ArgumentParser ends so by itself.
    static let usage = ExitCode(64)
}
