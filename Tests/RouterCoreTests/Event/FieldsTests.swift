import Testing

@testable import RouterCore

@Suite struct FieldsTests {
    @Test func everyFieldAtOnce() throws {
        let event = try #require(
            TestRecord(
                """
                 {"plan":"pro", "event_name" : "Bought \\u00e9\\n", "client_id":"\(TestRecord.clientText)",
                  "event_id":"AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE", "user_id":"u1","session_id":17,
                  "timestamp":"2026-01-31T11:00:00.5Z","event_properties": { "a" : [1 , 2] } ,
                  "api_key_hash":"\(TestRecord.keyHashText)" , "n" : 1e400 }
                """
            ).judged().event)
        #expect(text(event.eventName) == "Bought é\n")
        #expect(event.eventID.description == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
        #expect(text(event.userID) == "u1")
        #expect(text(event.sessionID) == "17")
        #expect(event.timestampMilliseconds == TestRecord.timestamp - 3_600_000 + 500)
        #expect(text(event.eventProperties) == "{ \"a\" : [1 , 2] }")
        #expect(text(event.extraFields) == #"{"plan":"pro","n":1e400}"#)
    }

    @Test func whatIsMissingHasItsDefault() throws {
        let nulls = ["event_id", "user_id", "session_id", "timestamp", "event_properties"].map { "\"\($0)\":null" }
        for record in [TestRecord.event(), TestRecord.event(nulls.joined(separator: ","))] {
            let event = try #require(record.judged().event)
            #expect(event.userID.isEmpty && event.sessionID.isEmpty)
            #expect(event.timestampMilliseconds == TestRecord.timestamp)
            #expect(text(event.eventProperties) == "{}")
            #expect(text(event.extraFields) == "{}")
        }
    }

    // MARK: event_name

    @Test(arguments: ["5", "true", "[]", "{}", #""""#, #""\ud83d""#, #""\ude00""#, #""\ud83d\u0041""#])
    func invalidEventName(_ json: String) {
        #expect(TestRecord.bare("\"event_name\":\(json)").judged().reason == .invalidField)
    }

    @Test func missingEventName() {
        #expect(TestRecord.bare().judged().reason == .missingField)
        #expect(TestRecord.bare(#""event_name":null"#).judged().reason == .missingField)
    }

    /// The limit is on the decoded bytes.
    @Test func longestEventName() {
        func verdict(_ name: String) -> Verdict { TestRecord.bare("\"event_name\":\"\(name)\"").judged() }
        #expect(verdict(String(repeating: "x", count: 256)).event?.eventName.count == 256)
        #expect(verdict(String(repeating: "x", count: 257)).reason == .invalidField)
        #expect(verdict(String(repeating: "é", count: 128)).event?.eventName.count == 256)
        #expect(verdict(String(repeating: "é", count: 128) + "x").reason == .invalidField)
        #expect(verdict(String(repeating: "\\u0078", count: 256)).event?.eventName.count == 256)
        #expect(verdict(String(repeating: "\\u0078", count: 257)).reason == .invalidField)
        #expect(verdict(String(repeating: "\\ud83d\\ude00", count: 64)).event?.eventName.count == 256)
        #expect(verdict(String(repeating: "\\ud83d\\ude00", count: 64) + "x").reason == .invalidField)
    }

    @Test(
        arguments: [
            (#"\u0000"#, [0x00]), (#"a\u0000b"#, [0x61, 0x00, 0x62]), (#"\"\\\/"#, [0x22, 0x5C, 0x2F]),
            (#"\b\f\n\r\t"#, [0x08, 0x0C, 0x0A, 0x0D, 0x09]), (#"\u007f\u0080"#, [0x7F, 0xC2, 0x80]),
            (#"\u07FF\u0800"#, [0xDF, 0xBF, 0xE0, 0xA0, 0x80]),
            (#"\uD7FF\uE000"#, [0xED, 0x9F, 0xBF, 0xEE, 0x80, 0x80]),
            (#"\uFFFF"#, [0xEF, 0xBF, 0xBF]), (#"\uD800\uDC00"#, [0xF0, 0x90, 0x80, 0x80]),
            (#"\uDBFF\uDFFF"#, [0xF4, 0x8F, 0xBF, 0xBF]), (#"\\u0041"#, [0x5C, 0x75, 0x30, 0x30, 0x34, 0x31]),
            (#"é\u00e9é"#, [0xC3, 0xA9, 0xC3, 0xA9, 0xC3, 0xA9]),
        ] as [(String, [UInt8])])
    func decodedStrings(_ json: String, _ bytes: [UInt8]) throws {
        let event = try #require(
            TestRecord.bare(#""event_name":"\#(json)","user_id":"\#(json)""#, #""session_id":"\#(json)""#).judged()
                .event)
        #expect(event.eventName == bytes)
        #expect(event.userID == bytes)
        #expect(event.sessionID == bytes)
    }

    // MARK: event_id

    @Test(arguments: [
        "5", "true", "[]", "{}", #""""#, #""junk""#, #""aaaaaaaabbbb4ccc8dddeeeeeeeeeeee""#, #""\ud800""#,
    ])
    func invalidEventID(_ json: String) {
        #expect(TestRecord.event("\"event_id\":\(json)").judged().reason == .invalidField)
    }

    /// The layout is a contract with every earlier life of the program. These ids were computed with Python:
    /// `hashlib.sha256(topic + b"\0" + struct.pack(">iq", partition, offset))`, version and variant set by hand.
    @Test func derivedEventID() {
        for (topic, partition, offset, id) in [
            ("shared_raw_events", Int32(3), Int64(42), "83aa5bf7-76e1-84e3-8fe3-d2ef36040922"),
            ("shared_raw_events", 0, 0, "dc131ce5-71e6-8800-a7af-09a7ecaacd13"),
            ("t", .max, .max, "96b1c0d6-2baa-8953-a8bc-62ab9718eeb2"),
        ] {
            let record = TestRecord.event().with {
                $0.topic = topic
                $0.partition = partition
                $0.offset = offset
            }
            #expect(record.judged().event?.eventID.description == id)
        }
    }

    @Test func derivedEventIDsDiffer() {
        var derived = DerivedEventID(topic: "a")
        var other = DerivedEventID(topic: "b")
        var seen: Set<UUID128> = []
        for partition in Int32(0)..<10 {
            for offset in Int64(0)..<100 {
                seen.insert(derived.id(partition: partition, offset: offset))
                seen.insert(other.id(partition: partition, offset: offset))
            }
        }
        #expect(seen.count == 2000)
        #expect(seen.allSatisfy { $0.high >> 12 & 0x0F == 8 && $0.low >> 62 == 0b10 })
    }

    // MARK: user_id and session_id

    @Test(arguments: [
        ("5", "5"), ("-0", "-0"), ("1e400", "1e400"), ("12345678901234567890.50", "12345678901234567890.50"),
        (#""""#, ""), (#""x""#, "x"), (#"" ""#, " "), (#""5""#, "5"),
    ])
    func identifiers(_ json: String, _ kept: String) throws {
        let event = try #require(TestRecord.event("\"user_id\": \(json) ,\"session_id\":\(json)").judged().event)
        #expect(text(event.userID) == kept)
        #expect(text(event.sessionID) == kept)
    }

    @Test(
        arguments: ["user_id", "session_id"], ["true", "false", "[]", "{}", "[1]", #""\ud800""#, #""\udc00\ud800""#])
    func invalidIdentifiers(_ field: String, _ json: String) {
        let verdict = TestRecord.event("\"\(field)\":\(json)").judged()
        #expect(verdict.reason == .invalidField)
        #expect(verdict.detail?.hasPrefix(field) == true)
    }

    // MARK: event_properties and extra_fields

    @Test(arguments: ["5", "true", "[]", #""{}""#, #""""#])
    func invalidEventProperties(_ json: String) {
        #expect(TestRecord.event("\"event_properties\":\(json)").judged().reason == .invalidField)
    }

    @Test(arguments: [
        "{}", "{ }", "{\n\t\"a\" : 1 }", #"{"a":1,"a":2}"#, #"{"\ud800":"\udc00"}"#,
        #"{"client_id":1,"api_key_hash":[]}"#,
        #"{"é":"\u00e9","x":1e999}"#,
    ])
    func eventPropertiesAreKeptByteForByte(_ json: String) {
        #expect(text(TestRecord.event("\"event_properties\": \(json) ").judged().event?.eventProperties) == json)
    }

    @Test(arguments: [
        ([], "{}"),
        (["\"a\":1"], #"{"a":1}"#),
        (["\"b\":1", "\"a\":2"], #"{"b":1,"a":2}"#),
        (["\"a\" \t:\n 1 ", " \"b\" : [ 1 , 2 ] "], #"{"a":1,"b":[ 1 , 2 ]}"#),
        (["\"a\":1", "\"a\":2"], #"{"a":1,"a":2}"#),
        ([#""a":null"#], #"{"a":null}"#),
        ([#""\ud800":"\udfff""#, #""\u0061":"\u0061""#], #"{"\ud800":"\udfff","\u0061":"\u0061"}"#),
        ([#""":"""#], #"{"":""}"#),
        (
            [#""Client_id":1"#, #""client_id ":2"#, #""client_i":3"#, #""user-id":4"#],
            #"{"Client_id":1,"client_id ":2,"client_i":3,"user-id":4}"#
        ),
        ([#""client_id\u0000":1"#, #""client_id\ud800":2"#], #"{"client_id\u0000":1,"client_id\ud800":2}"#),
        (
            [#""timestamq":1"#, #""event_nam\u0065s":2"#, #""xser_id":3"#],
            #"{"timestamq":1,"event_nam\u0065s":2,"xser_id":3}"#
        ),
    ])
    func extraFieldsKeepOrderAndBytes(_ members: [String], _ expected: String) {
        let record = TestRecord.event(members.joined(separator: ",") + (members.isEmpty ? "\"user_id\":1" : ""))
        #expect(text(record.judged().event?.extraFields) == expected)
        // The same with the extra fields before the others and white space around everything.
        let spread = TestRecord(
            " {\n" + members.map { $0 + " ,\n" }.joined() + TestRecord.credentials + " , \"event_name\" : \"e\" } ")
        #expect(text(spread.judged().event?.extraFields) == expected)
    }

    /// Whatever is escaped in its key, a known field is known.
    @Test(arguments: EventField.allCases)
    func escapedKeysAreTheSameKeys(_ field: EventField) throws {
        let name = "\(field.name)"
        let full = name.unicodeScalars.map { "\\u00" + ($0.value < 16 ? "0" : "") + String($0.value, radix: 16) }
            .joined()
        #expect(full.utf8.count == 6 * name.utf8.count)
        let upper = name.unicodeScalars.map { "\\u00" + String($0.value, radix: 16, uppercase: true) }.joined()
        for spelling in [
            full, upper, "\\u00" + String(name.unicodeScalars.first?.value ?? 0, radix: 16) + name.dropFirst(),
        ] {
            let verdict = TestRecord.event("\"\(spelling)\":5", "\"\(name)\":5").judged()
            #expect(verdict.reason == .invalidField)
            #expect(verdict.detail == "\(name) is given more than once (an escaped key is the same key)")
        }
    }

    @Test(arguments: EventField.allCases)
    func everyNameIsKnown(_ field: EventField) {
        let name = Array("\(field.name)".utf8)
        #expect(name.count <= EventField.maxNameBytes)
        #expect(name.withUnsafeBytes { EventField.named($0) } == field)
        for index in name.indices {
            var changed = name
            changed[index] ^= 0x20
            #expect(changed.withUnsafeBytes { EventField.named($0) } == nil)
            #expect(Array(name[..<index]).withUnsafeBytes { EventField.named($0) } == nil)
        }
    }

    @Test(arguments: EventField.allCases)
    func givenTwiceIsInvalid(_ field: EventField) {
        let valid: String
        switch field {
        case .clientID: valid = "\"\(TestRecord.clientText)\""
        case .apiKeyHash: valid = "\"\(TestRecord.keyHashText)\""
        case .eventName: valid = "\"page_view\""
        case .eventID: valid = "\"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee\""
        case .userID, .sessionID: valid = "7"
        case .timestamp: valid = "\(TestRecord.timestamp)"
        case .eventProperties: valid = "{}"
        }
        let others = [TestRecord.credentials, "\"event_name\":\"page_view\""].joined(separator: ",").split(
            separator: ","
        )
        .filter { !$0.hasPrefix("\"\(field.name)\"") }
        for (first, second) in [(valid, valid), ("null", valid), (valid, "null"), ("null", "null")] {
            let members = others.map(String.init) + ["\"\(field.name)\":\(first)", "\"\(field.name)\":\(second)"]
            let verdict = TestRecord("{" + members.joined(separator: ",") + "}").judged()
            #expect(verdict.reason == .invalidField, "\(first), \(second)")
            #expect(verdict.detail?.hasPrefix("\(field.name) is given more than once") == true)
        }
    }
}
