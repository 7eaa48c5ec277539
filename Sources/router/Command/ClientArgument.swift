import ArgumentParser
import RouterCore

enum ClientArgument {
    /// A client's id as it is typed.
    static func parse(_ text: String) throws -> ClientID {
        guard let id = ClientID(text) else {
            throw ValidationError("'\(text)' is not a client's id, a UUID such as 1b4e28ba-2fa1-41d2-883f-0016d3cca427")
        }
        return id
    }
}
