/// Random events near the edges of the contract: valid ones, ones with wrong fields, and both with damaged bytes.
struct EventGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func record() -> TestRecord {
        var bytes = Array(event().utf8)
        // More than half stay valid JSON, so that contents are compared and not only refusals.
        if random.chance(5) { for _ in 0..<Int.random(in: 1...3, using: &random) { damage(&bytes) } }
        var record = TestRecord(value: bytes)
        record.offset = Int64.random(in: 0...Int64.max, using: &random)
        record.partition = Int32.random(in: 0...Int32.max, using: &random)
        if random.chance(10) {
            record.timestampMilliseconds = random.pick([
                nil, 0, -1, 951_782_400_000, 1_709_164_800_000, 4_102_444_800_000, 10_413_791_999_999,
                10_413_792_000_000, -2_208_988_800_000, -2_208_988_800_001, 1_769_860_800_000_000, .max, .min,
            ])
        }
        if random.chance(6) {
            record.clientIDHeader = random.pick([
                TestRecord.clientText, TestRecord.clientText, TestRecord.clientText.uppercased(), Self.otherClient, nil,
                "", "x",
            ])
            record.apiKeyHashHeader = random.pick([
                TestRecord.keyHashText, TestRecord.keyHashText, TestRecord.keyHashText.uppercased(), nil, "", "é",
            ])
            record.hasRepeatedCredentialHeader = random.chance(8)
        }
        if random.chance(50) { record.maxEventBytes = bytes.count + Int.random(in: -1...1, using: &random) }
        if random.chance(500) { record.value = random.pick([nil, [], [0x20], [0x0A, 0x20]]) }
        return record
    }

    // MARK: Valid JSON

    private static let otherClient = "11111111-2222-4333-8444-555555555555"

    private mutating func event() -> String {
        if random.chance(40) { return space() + json(depth: 0) + space() }
        var members: [String] = []
        func usually(_ generator: inout SeededGenerator) -> Bool { !generator.chance(30) }
        if usually(&random) {
            members.append(member("client_id", random.chance(20) ? badOrAny() : string(TestRecord.clientText)))
        }
        if usually(&random) {
            members.append(member("api_key_hash", random.chance(20) ? badOrAny() : string(TestRecord.keyHashText)))
        }
        if usually(&random) { members.append(member("event_name", random.chance(10) ? name() : string("page_view"))) }
        if random.chance(2) {
            members.append(
                member("event_id", random.chance(10) ? badOrAny() : string("AAAAAAAA-bbbb-4ccc-8ddd-eeeeeeeeeeee")))
        }
        for field in ["user_id", "session_id"] where random.chance(2) {
            members.append(member(field, random.chance(15) ? badOrAny() : random.chance(3) ? number() : string()))
        }
        if random.chance(2) { members.append(member("timestamp", random.chance(30) ? badOrAny() : timestamp())) }
        if random.chance(2) {
            members.append(member("event_properties", random.chance(30) ? badOrAny() : object(depth: 1)))
        }
        while random.chance(2) {
            members.append(
                member(
                    random.pick(["a", "plan", "", "client_i", "x_id", "é", "日本", "timestamps", "Event_Name"]),
                    json(depth: 1)))
        }
        if random.chance(30), let again = members.randomElement(using: &random) { members.append(again) }
        if random.chance(200) { members.append(member("deep", deep())) }
        members.shuffle(using: &random)
        return space() + "{" + members.joined(separator: ",") + "}" + space()
    }

    private mutating func member(_ key: String, _ value: String) -> String {
        space() + string(key) + space() + ":" + space() + value + space()
    }

    private mutating func badOrAny() -> String {
        random.chance(2)
            ? json(depth: 2) : random.pick(["null", "\"\"", "\"\\ud800\"", "5", "\"x\"", "{}", "[]", "\"\\u0000\""])
    }

    private mutating func name() -> String {
        let unit = random.pick(["x", "é", "\\u0078", "😀", "\\ud83d\\ude00", "日"])
        return "\""
            + String(repeating: unit, count: random.pick([0, 1, 63, 64, 65, 85, 86, 127, 128, 129, 255, 256, 257]))
            + "\""
    }

    private mutating func timestamp() -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let second = Double.random(in: 1_600_000_000...1_780_000_000, using: &random)
            return random.pick([
                "\(Int(second))", "\(second)", "\(Int(second * 1000))", "\(Int(second)).5e0", "\(second / 1e9)e9",
            ])
        case 1 where random.chance(3): return number()
        default:
            let year =
                random.chance(4)
                ? Int.random(in: 0...9999, using: &random) : Int.random(in: 2020...2026, using: &random)
            let date = [
                "\(String(repeating: "0", count: 4 - "\(year)".count))\(year)",
                two(Int.random(in: random.chance(25) ? 0...13 : 1...12, using: &random)),
                two(Int.random(in: random.chance(25) ? 0...32 : 1...28, using: &random)),
            ]
            let time = [
                two(Int.random(in: random.chance(25) ? 23...25 : 0...23, using: &random)),
                two(Int.random(in: random.chance(25) ? 58...61 : 0...59, using: &random)),
                two(Int.random(in: random.chance(25) ? 58...61 : 0...59, using: &random)),
            ]
            let fraction = random.chance(20) ? "." : random.pick(["", "", ".1", ".12", ".123", ".9999999999"])
            let zone = random.pick(
                random.chance(10)
                    ? ["+24:00", "", "+0100", "Z ", "-23:60"] : ["Z", "Z", "z", "+00:00", "-05:30", "+23:59"])
            let whole =
                date.joined(separator: "-") + random.pick(random.chance(10) ? ["t", " ", "_", ""] : ["T"])
                + time.joined(separator: ":")
            return string(random.chance(20) ? "2016-12-31T23:59:60" + zone : whole + fraction + zone)
        }
    }

    private mutating func json(depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 4 ? 5 : 8), using: &random) {
        case 0: random.pick(["true", "false", "null"])
        case 1, 2: number()
        case 3, 4: string()
        case 5:
            "["
                + (0..<Int.random(in: 0...3, using: &random)).map { _ in space() + json(depth: depth + 1) + space() }
                .joined(separator: ",") + "]"
        default: object(depth: depth)
        }
    }

    private mutating func object(depth: Int) -> String {
        "{"
            + (0..<Int.random(in: 0...3, using: &random)).map { _ in
                member(random.pick(["a", "b", "user_id", "é"]), json(depth: depth + 1))
            }
            .joined(separator: ",") + "}"
    }

    private mutating func deep() -> String {
        let depth = Int.random(in: 509...514, using: &random)
        let (open, close) = random.pick([("[", "]"), ("{\"a\":", "}")])
        return String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
    }

    private mutating func number() -> String {
        random.pick(["", "", "-"])
            + random.pick([
                "0", "1", "42", "99999999999", "100000000000", "1769860800", "1769860800000",
                "123456789012345678901234567890",
            ])
            + random.pick(["", "", ".0", ".5", ".123456789", ".99999999999999999999"])
            + random.pick(["", "", "", "e0", "E+3", "e-3", "e400", "e-400", "e11", "e-10"])
    }

    private mutating func string() -> String {
        var text = ""
        while !random.chance(4) {
            text += random.pick([
                "a", "user-17", " ", "/products/12345678", "é", "日本語", "😀", "\u{10FFFF}", "\u{7F}", "\\n", "\\\"",
                "\\\\", "\\/", "\\u0041",
                "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\\udc00", "\\u0000", "{", "}", "[", ",", ":",
            ])
        }
        return "\"" + text + "\""
    }

    /// A string with these characters, some of them escaped now and then.
    private mutating func string(_ characters: String) -> String {
        guard random.chance(12) else { return "\"\(characters)\"" }
        var text = ""
        for unit in characters.utf16 {
            let digits = String(unit, radix: 16, uppercase: random.chance(2))
            if random.chance(4) || unit > 0x7F {
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                text += String(decoding: [unit], as: UTF16.self)
            }
        }
        return "\"\(text)\""
    }

    private mutating func space() -> String {
        random.chance(12) ? random.pick([" ", "\n", "\t", "\r\n", "   "]) : ""
    }

    // MARK: Damage

    private static let tokens: [[UInt8]] =
        [
            "\"", "\\", "{", "}", "[", "]", ",", ":", "null", "-", "0", "1e", ".", "\\u", "\\ud800", "\u{FEFF}", "/*",
            "NaN", "Infinity", "'", "\u{0}",
            "\u{1F}", "\u{B}", " ", "\u{A0}", "\"user_id\":", "\"client_id\":null,", ",\"timestamp\":0", "true", "é",
            "{}", "[]",
        ].map { Array($0.utf8) } + [
            [0x80], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xE2, 0x82], [0xF0, 0x9F],
        ]

    private mutating func damage(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let index = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, index + Int.random(in: 1...12, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeSubrange(index..<end)
        case 3: bytes.insert(contentsOf: bytes[index..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case 4: bytes.insert(contentsOf: random.pick(Self.tokens), at: index)
        case 5: bytes.replaceSubrange(index..<end, with: random.pick(Self.tokens))
        default: if random.chance(2) { bytes.removeSubrange(index...) } else { bytes.removeSubrange(..<index) }
        }
    }
}
