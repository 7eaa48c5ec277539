/// Changes an input so that most of what was valid JSON stays valid JSON: a decoder that is asked about nothing but
/// broken documents shows only how it refuses.
struct Mutator {
    private var random: SplitMix
    private var bytes: [UInt8]

    init(_ bytes: [UInt8], seed: UInt32) {
        self.bytes = bytes
        random = SplitMix(state: UInt64(seed))
    }

    /// - Parameter bytewise: libFuzzer's own mutation, blind to JSON.
    static func mutate(_ bytes: [UInt8], seed: UInt32, bytewise: ([UInt8]) -> [UInt8]) -> [UInt8] {
        var mutator = Mutator(bytes, seed: seed)
        if bytes.count <= FuzzInput.prefixBytes { mutator.bytes = Array("aaa".utf8) + mutator.event() }
        if mutator.random.chance(4) { mutator.startAgain() }
        if mutator.random.chance(12) { mutator.changePrefix() }
        if mutator.random.chance(6) { return bytewise(mutator.bytes) }
        for _ in 0..<mutator.random.next(4) + 1 {
            guard let nodes = JSONNodes(mutator.bytes, from: FuzzInput.prefixBytes)?.nodes else {
                // Broken already: half of them stay so, with further damage; the others start again.
                if mutator.random.chance(2) { return bytewise(mutator.bytes) }
                mutator.bytes.replaceSubrange(FuzzInput.prefixBytes..., with: mutator.event())
                continue
            }
            mutator.change(nodes)
        }
        if mutator.random.chance(10) { mutator.damage() }
        return mutator.bytes
    }

    /// A value of `bytes` in the place of one of `others`; nil where one of the two is no JSON.
    static func cross(_ bytes: [UInt8], _ others: [UInt8], seed: UInt32) -> [UInt8]? {
        var mutator = Mutator(bytes, seed: seed)
        guard let nodes = JSONNodes(bytes, from: FuzzInput.prefixBytes)?.nodes,
            let otherNodes = JSONNodes(others, from: FuzzInput.prefixBytes)?.nodes
        else { return nil }
        let node = mutator.picked(nodes)
        let other = mutator.random.pick(otherNodes)
        mutator.bytes.replaceSubrange(node.start..<node.end, with: others[other.start..<other.end])
        return mutator.bytes
    }

    /// An event that is accepted as it is, with the headers and times of most producers: what is far from one in many
    /// steps is seldom accepted.
    private mutating func startAgain() {
        let moment = random.pick(["\"2026-01-31T12:00:00.123Z\"", "1769860800", "1769860800000.5", "null"])
        let properties = random.pick([
            "{\"a\":[1,null,{\"b\":\"é\"}],\"c\":-0.5e+3}", "{ }", "null", "{\"\\u0061\":\"\\ud83d\\ude00\"}",
        ])
        bytes =
            Array("aaa".utf8) + event().dropLast()
            + Array(
                ",\"user_id\":\"user-17\",\"session_id\":12.50e1,\"timestamp\":\(moment),\"event_properties\":\(properties)}"
                    .utf8)
    }

    private mutating func changePrefix() {
        let counts = [FuzzInput.headers.count, FuzzInput.timestamps.count, FuzzInput.limits.count]
        let index = random.next(FuzzInput.prefixBytes)
        bytes[index] = UInt8(97 + random.next(counts[index]))
    }

    private mutating func event() -> [UInt8] {
        var members = [
            "\"client_id\":\"\(FuzzInput.client)\"", "\"api_key_hash\":\"\(FuzzInput.keyHash)\"",
            "\"event_name\":\"page_view\"",
        ]
        while random.chance(2) {
            members.append("\"\(random.pick(["plan", "x", "", "é"]))\":\(random.pick(Vocabulary.scalars))")
        }
        return Array("{\(members.joined(separator: ","))}".utf8)
    }

    private mutating func change(_ nodes: [JSONNodes.Node]) {
        let node = picked(nodes)
        switch random.next(12) {
        case 0, 1: replace(node.start..<node.end, random.pick(Vocabulary.scalars))
        case 2: insertMember(nodes)
        case 3: repeatMember(node)
        case 4: removeMember(node)
        case 5: wrap(node)
        case 6, 7: changeText(node.start..<node.end)
        case 8: changeKey(node)
        case 9: escape(node.keyStart ?? node.start, node.end)
        case 10: insertSpace(node)
        default: swap(node, random.pick(nodes))
        }
    }

    /// The document itself is the last node. Without it, its credentials and its name nothing else is looked at, so they
    /// are left alone nine times of ten.
    private mutating func picked(_ nodes: [JSONNodes.Node]) -> JSONNodes.Node {
        for _ in 0..<8 {
            let node = random.pick(nodes)
            if node.end != nodes[nodes.count - 1].end, !isRequired(node) { return node }
            if random.chance(10) { return node }
        }
        return nodes[0]
    }

    private func isRequired(_ node: JSONNodes.Node) -> Bool {
        guard let keyStart = node.keyStart else { return false }
        let key = bytes[keyStart..<node.start]
        return ["\"client_id\"", "\"api_key_hash\"", "\"event_name\""].contains { key.starts(with: $0.utf8) }
    }

    private mutating func replace(_ range: Range<Int>, _ text: String) {
        bytes.replaceSubrange(range, with: Array(text.utf8))
    }

    private mutating func insertMember(_ nodes: [JSONNodes.Node]) {
        let objects = nodes.filter { bytes[$0.start] == UInt8(ascii: "{") }
        guard let node = random.chance(4) ? objects.randomElement(using: &random) : objects.last else { return }
        let isEmpty = !bytes[node.start..<node.end].contains(UInt8(ascii: "\""))
        let member = "\"\(random.pick(Vocabulary.keys))\":\(random.pick(Vocabulary.scalars))"
        replace(node.start + 1..<node.start + 1, isEmpty ? member : member + ",")
    }

    private mutating func repeatMember(_ node: JSONNodes.Node) {
        guard let keyStart = node.keyStart else { return }
        let member = bytes[keyStart..<node.end]
        bytes.insert(contentsOf: [UInt8(ascii: ",")] + member, at: node.end)
    }

    private mutating func removeMember(_ node: JSONNodes.Node) {
        guard let keyStart = node.keyStart else { return }
        let before = bytes[..<keyStart].lastIndex { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } ?? 0
        if bytes[before] == UInt8(ascii: ",") {
            bytes.removeSubrange(before..<node.end)
        } else if let next = bytes[node.end...].firstIndex(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) {
            bytes.removeSubrange(keyStart..<(bytes[next] == UInt8(ascii: ",") ? next + 1 : node.end))
        }
    }

    private mutating func wrap(_ node: JSONNodes.Node) {
        // The last of the depths is where the limit is.
        let depth = random.chance(30) ? 506 + random.next(8) : 1 + random.next(3)
        let isArray = random.chance(2)
        let open = String(repeating: isArray ? "[" : "{\"a\":", count: depth)
        replace(node.end..<node.end, String(repeating: isArray ? "]" : "}", count: depth))
        replace(node.start..<node.start, open)
    }

    /// Changes the inside of a string, a digit of a number, or puts something else in a container's place.
    private mutating func changeText(_ range: Range<Int>) {
        if bytes[range.lowerBound] == UInt8(ascii: "\"") {
            insertPiece(range)
        } else if let digit = range.filter({ 0x30...0x39 ~= bytes[$0] }).randomElement(using: &random),
            bytes[range.lowerBound] < 0x40
        {
            changeNumber(digit, range)
        } else {
            replace(range, random.pick(Vocabulary.scalars))
        }
    }

    /// At a place that is neither within a character nor within an escape sequence, as far as eight steps tell.
    private mutating func insertPiece(_ range: Range<Int>) {
        var places: [Int] = []
        var index = range.lowerBound + 1
        while index < range.upperBound - 1 {
            if bytes[index] & 0xC0 != 0x80 { places.append(index) }
            let isUnicode = bytes[index] == UInt8(ascii: "\\") && bytes[index + 1] == UInt8(ascii: "u")
            index += bytes[index] == UInt8(ascii: "\\") ? (isUnicode ? 6 : 2) : 1
        }
        places.append(range.upperBound - 1)
        let place = random.next(places.count)
        let isReplaced = random.chance(2) && place + 1 < places.count
        replace(places[place]..<(isReplaced ? places[place + 1] : places[place]), random.pick(Vocabulary.pieces))
    }

    private mutating func changeNumber(_ digit: Int, _ range: Range<Int>) {
        switch random.next(5) {
        case 0: bytes[digit] = UInt8(0x31 + random.next(9))
        case 1: replace(digit + 1..<digit + 1, String(random.next(10)))
        case 2:
            replace(
                range.upperBound..<range.upperBound, random.pick(["e0", "E+1", "e-1", "e3", "e-3", "E11", "e-400"]))
        case 3:
            replace(
                range.upperBound..<range.upperBound,
                random.pick([".5", ".0", ".999", ".0009", ".12345678901234567890"]))
        default: if bytes[range.lowerBound] != UInt8(ascii: "-") { replace(range.lowerBound..<range.lowerBound, "-") }
        }
    }

    private mutating func changeKey(_ node: JSONNodes.Node) {
        guard let keyStart = node.keyStart,
            let close = bytes[(keyStart + 1)...].firstIndex(of: UInt8(ascii: "\"")), close < node.start
        else { return }
        replace(keyStart + 1..<close, random.pick(Vocabulary.keys))
    }

    /// Writes one plain character as an escape sequence: it stays the same character.
    private mutating func escape(_ start: Int, _ end: Int) {
        let places = (start..<end).filter { place in
            (0x30...0x7A).contains(bytes[place]) && bytes[place] != UInt8(ascii: "\\") && place > 0
                && bytes[place - 1] != UInt8(ascii: "\\")
        }
        guard let place = places.randomElement(using: &random) else { return }
        let digits = String(bytes[place], radix: 16, uppercase: random.chance(2))
        replace(place..<place + 1, "\\u00\(digits)")
    }

    private mutating func insertSpace(_ node: JSONNodes.Node) {
        let place = random.pick([node.start, node.end, node.keyStart ?? node.end])
        replace(place..<place, random.pick(Vocabulary.spaces))
    }

    private mutating func swap(_ one: JSONNodes.Node, _ other: JSONNodes.Node) {
        let (first, second) = one.start < other.start ? (one, other) : (other, one)
        guard first.end <= second.start else { return }
        let moved = Array(bytes[first.start..<first.end])
        let back = Array(bytes[second.start..<second.end])
        bytes.replaceSubrange(second.start..<second.end, with: moved)
        bytes.replaceSubrange(first.start..<first.end, with: back)
    }

    private mutating func damage() {
        let place = FuzzInput.prefixBytes + random.next(bytes.count - FuzzInput.prefixBytes + 1)
        let length = random.next(min(8, bytes.count - place) + 1)
        switch random.next(4) {
        case 0: bytes.removeSubrange(place..<place + length)
        case 1: bytes.removeSubrange(place...)
        case 2: bytes.replaceSubrange(place..<place + length, with: random.pick(Vocabulary.damage))
        default: bytes.insert(contentsOf: random.pick(Vocabulary.damage), at: place)
        }
    }
}

/// Steele, Lea, Flood: SplitMix64. libFuzzer gives the seed of each mutation, so that a run can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func next(_ below: Int) -> Int { Int.random(in: 0..<below, using: &self) }

    mutating func chance(_ oneIn: Int) -> Bool { next(oneIn) == 0 }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[next(elements.count)] }
}
