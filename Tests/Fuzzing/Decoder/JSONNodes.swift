/// Where the values of a document stand. Only as strict as the mutator needs: what it takes for valid it may break less
/// often, nothing more.
struct JSONNodes {
    struct Node {
        var start: Int
        var end: Int
        /// Of a member: where its key's opening quote stands; nil for elements and the document itself.
        var keyStart: Int?
        var isContainer: Bool
    }

    private(set) var nodes: [Node] = []
    private let bytes: [UInt8]
    private var index: Int

    /// nil where `bytes`, from `start` on, are not one document.
    init?(_ bytes: [UInt8], from start: Int) {
        self.bytes = bytes
        index = start
        skipSpace()
        guard value(keyStart: nil, depth: 0) else { return nil }
        skipSpace()
        guard index == bytes.count else { return nil }
    }

    private mutating func skipSpace() {
        while at(" ") || at("\t") || at("\n") || at("\r") { index += 1 }
    }

    private func at(_ character: Unicode.Scalar) -> Bool {
        index < bytes.count && UInt32(bytes[index]) == character.value
    }

    private mutating func value(keyStart: Int?, depth: Int) -> Bool {
        let start = index
        let isContainer = at("{") || at("[")
        if isContainer {
            guard depth < 600, container(isObject: at("{"), depth: depth) else { return false }
        } else if at("\"") {
            guard string() else { return false }
        } else {
            while index < bytes.count, isWordByte(bytes[index]) { index += 1 }
            guard index > start else { return false }
        }
        nodes.append(Node(start: start, end: index, keyStart: keyStart, isContainer: isContainer))
        return true
    }

    private func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, 0x41...0x5A, 0x2B, 0x2D, 0x2E: true
        default: false
        }
    }

    private mutating func string() -> Bool {
        index += 1
        while index < bytes.count {
            if at("\"") {
                index += 1
                return true
            }
            index += at("\\") ? 2 : 1
        }
        return false
    }

    private mutating func container(isObject: Bool, depth: Int) -> Bool {
        let close: Unicode.Scalar = isObject ? "}" : "]"
        index += 1
        skipSpace()
        if at(close) {
            index += 1
            return true
        }
        while true {
            skipSpace()
            let keyStart = index
            if isObject {
                guard at("\""), string() else { return false }
                skipSpace()
                guard at(":") else { return false }
                index += 1
                skipSpace()
            }
            guard value(keyStart: isObject ? keyStart : nil, depth: depth + 1) else { return false }
            skipSpace()
            guard at(",") || at(close) else { return false }
            index += 1
            if UInt32(bytes[index - 1]) == close.value { return true }
        }
    }
}
