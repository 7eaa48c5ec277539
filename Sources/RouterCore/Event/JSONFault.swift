/// What makes a document malformed, and where.
struct JSONFault: Equatable {
    enum Problem: Equatable {
        case unexpectedEnd
        case expectedValue
        case expectedKey
        case expectedColon
        case expectedCommaOrEnd
        case trailingBytes
        case byteOrderMark
        case badLiteral
        case badNumber
        case controlCharacter
        case badEscape
        case badUTF8
        case tooDeep
    }

    var problem: Problem
    /// Byte offset in the value, counted from 0.
    var position: Int

    /// A sentence for a person. It names no byte of the payload, which may hold anything.
    var explanation: String { "not valid JSON at byte \(position) (counted from 0): \(what)" }

    private var what: String {
        switch problem {
        case .unexpectedEnd: "the text ends in the middle of a value; it may have been cut"
        case .expectedValue: "a value is expected here"
        case .expectedKey: "a key in double quotes is expected here"
        case .expectedColon: "a colon is expected after the key"
        case .expectedCommaOrEnd: "a comma or the end of the object or array is expected here"
        case .trailingBytes: "something follows the end of the document; a record holds one document"
        case .byteOrderMark: "a byte order mark is not allowed; send plain UTF-8"
        case .badLiteral: "an unquoted word other than true, false and null"
        case .badNumber: "a number in a form that JSON does not have"
        case .controlCharacter: "a control character inside a string has to be escaped"
        case .badEscape: "an escape sequence that JSON does not have"
        case .badUTF8: "bytes that are not valid UTF-8"
        case .tooDeep: "nested deeper than \(JSONScanner.maxDepth) levels"
        }
    }
}
