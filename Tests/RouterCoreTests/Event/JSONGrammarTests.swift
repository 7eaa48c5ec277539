import RouterCore
import Testing

@Suite struct JSONGrammarTests {
    @Test func theTablesAreLarge() {
        #expect(JSONCase.accepted.count >= 100)
        #expect(JSONCase.refused.count >= 200)
    }

    @Test(arguments: JSONCase.accepted)
    func acceptedAsDocument(_ json: JSONCase) {
        let verdict = TestRecord(value: json.bytes).judged()
        let firstByte = json.bytes.first { !" \t\r\n".utf8.contains($0) }
        #expect(verdict.reason == (firstByte == UInt8(ascii: "{") ? .missingField : .notAnObject), "\(verdict)")
    }

    /// Whatever is valid is kept to the byte, wherever it stands.
    @Test(arguments: JSONCase.accepted)
    func acceptedInsideAnEvent(_ json: JSONCase) throws {
        let trimmed = Array(json.bytes.drop { " \t\r\n".utf8.contains($0) }.reversed())
            .drop { " \t\r\n".utf8.contains($0) }.reversed()
        let before = Array("{\(TestRecord.credentials),\"event_name\":\"e\",\"x\":".utf8)
        let middle = Array(",\"event_properties\":{\"y\":".utf8)
        let event = try #require(
            TestRecord(value: before + json.bytes + middle + json.bytes + Array("}}".utf8)).judged().event)
        #expect(event.extraFields == Array("{\"x\":".utf8) + trimmed + Array("}".utf8))
        #expect(event.eventProperties == Array("{\"y\":".utf8) + json.bytes + Array("}".utf8))
    }

    @Test(arguments: JSONCase.refused)
    func refusedAsDocument(_ json: JSONCase) {
        #expect(TestRecord(value: json.bytes).judged().reason == .malformedJSON)
    }

    @Test(arguments: JSONCase.refused)
    func refusedInsideAnEvent(_ json: JSONCase) {
        let before = Array("{\(TestRecord.credentials),\"event_name\":\"e\",\"x\":".utf8)
        #expect(TestRecord(value: before + json.bytes + Array("}".utf8)).judged().reason == .malformedJSON)
        let deeper = Array("{\(TestRecord.credentials),\"event_name\":\"e\",\"x\":[{\"y\":".utf8)
        #expect(TestRecord(value: deeper + json.bytes + Array("}]}".utf8)).judged().reason == .malformedJSON)
    }

    /// A document that ends early is malformed at every length; nothing behind its end is read (the memory is guarded).
    @Test func everyPrefixOfAnEventIsMalformed() {
        let whole =
            TestRecord.event(
                #""event_properties":{"a":[1,-2.5e+10,true,false,null,"\u00e9\n",{"b":{}}],"ü":"日本"}"#, #""x":"𝄞""#
            ).value ?? []
        for count in 1..<whole.count {
            let verdict = TestRecord(value: Array(whole[..<count])).judged()
            #expect(verdict.reason == .malformedJSON, "\(count) bytes")
        }
        #expect(TestRecord(value: whole).judged().event != nil)
    }

    @Test(arguments: [
        (#"{"a":1,}"#, 7, "a key in double quotes"), (#"{"a" 1}"#, 5, "a colon"), (#"{"a":1 "b":2}"#, 7, "a comma"),
        (#"{"a":tru}"#, 5, "unquoted word"), (#"{"a":01}"#, 6, "a comma"), (#"{"a":-}"#, 6, "a number"),
        (#"{"a":"\x"}"#, 6, "escape sequence"), ("{\"a\":\"\n\"}", 6, "control character"), ("{} {}", 3, "follows"),
        (#"{"a":"#, 5, "ends"), (#"{"a":"b"#, 7, "ends"), ("{", 1, "ends"), (#"{"a":]}"#, 5, "a value"),
        ("\u{FEFF}{}", 0, "byte order mark"), (#"{"a":{"b":1,}}"#, 12, "a key in double quotes"),
    ])
    func detailNamesTheFaultAndItsPlace(_ json: String, _ position: Int, _ word: String) throws {
        let detail = try #require(TestRecord(json).judged().detail)
        #expect(detail.contains("byte \(position) "), "\(detail)")
        #expect(detail.contains(word), "\(detail)")
    }

    @Test func detailNamesThePlaceOfBadUTF8() throws {
        let detail = try #require(
            TestRecord(value: Array("{\"a\":\"xé".utf8) + [0xC0, 0xAF, 0x22, 0x7D]).judged().detail)
        #expect(detail.contains("byte 9 ") && detail.contains("UTF-8"))
    }
}
