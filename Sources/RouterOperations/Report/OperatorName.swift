import Foundation

/// Who gives a command, as it is written down beside what was done: the login name and the machine. A note for
/// colleagues and no proof: whoever may write to the database may write any name.
enum OperatorName {
    static var current: String {
        let environment = ProcessInfo.processInfo.environment
        // Under sudo the person, not root.
        let user = environment["SUDO_USER"].flatMap { $0.isEmpty ? nil : $0 } ?? NSUserName()
        return TextTable.printable("\(user.isEmpty ? "unknown" : user)@\(ProcessInfo.processInfo.hostName)")
    }
}
