import RouterCore
import Testing

/// Sizes, depths, and which reason wins.
@Suite struct LimitsTests {
    // MARK: Depth

    private func nested(_ depth: Int, open: String, close: String, inner: String = "") -> String {
        String(repeating: open, count: depth) + inner + String(repeating: close, count: depth)
    }

    /// The outermost object is level 1.
    @Test(arguments: [(510, true), (511, true), (512, true), (513, false), (514, false), (100_000, false)])
    func deepestNesting(_ depth: Int, _ isAccepted: Bool) {
        let inner = depth - 1
        for (name, json) in [
            ("arrays", "\"x\":" + nested(inner, open: "[", close: "]")),
            ("objects", "\"x\":" + nested(inner - 1, open: "{\"a\":", close: "}", inner: "{}")),
            (
                "properties",
                "\"event_properties\":" + nested(inner - 1, open: "{\"a\":", close: "}", inner: "{\"b\":1}")
            ),
            ("mixed", "\"x\":" + nested(inner / 2, open: "[{\"a\":", close: "}]", inner: inner % 2 == 0 ? "1" : "[1]")),
        ] {
            let verdict = TestRecord.event(json).judged()
            #expect((verdict.event != nil) == isAccepted, "\(name)")
            if !isAccepted {
                #expect(verdict.reason == .malformedJSON)
                #expect(verdict.detail?.contains("deeper than 512") == true)
            }
        }
        let document = TestRecord(nested(depth, open: "[", close: "]")).judged()
        #expect(document.reason == (isAccepted ? .notAnObject : .malformedJSON))
    }

    @Test func depthIsNotCountedAcrossSiblings() {
        let siblings = Array(repeating: nested(500, open: "[", close: "]"), count: 3).joined(separator: ",")
        #expect(TestRecord.event("\"x\":[\(siblings)]", "\"y\":{}", "\"z\":[\(siblings)]").judged().event != nil)
    }

    /// Each level is closed by its own bracket.
    @Test func bracketsMatch() {
        #expect(
            TestRecord.event("\"x\":" + nested(200, open: "[{\"a\":", close: "}]", inner: "1")).judged().event != nil)
        #expect(
            TestRecord.event("\"x\":" + nested(200, open: "[{\"a\":", close: "]}", inner: "1")).judged().event == nil)
    }

    @Test func openBracketsOnly() {
        for text in ["[", "{\"a\":", "[{\"a\":"] {
            #expect(TestRecord(String(repeating: text, count: 100_000)).judged().reason == .malformedJSON)
        }
    }

    // MARK: Size

    @Test func largestPayload() {
        let record = TestRecord.event(#""event_properties":{"a":"b"}"#)
        let size = record.value?.count ?? 0
        #expect(record.with { $0.maxEventBytes = size }.judged().event != nil)
        let verdict = record.with { $0.maxEventBytes = size - 1 }.judged()
        #expect(verdict.reason == .payloadTooLarge)
        #expect(verdict.detail == "the value has \(size) bytes; ROUTER_MAX_EVENT_BYTES allows \(size - 1)")
    }

    /// One decoder, events that make its memory grow, then small ones again.
    @Test func memoryIsUsedAgain() {
        var decoder = EventDecoder(topic: "t", maxEventBytes: 1 << 20)
        let memory = GuardedMemory(capacity: 1 << 20)
        for count in [0, 1, 100, 4000, 4090, 4096, 5000, 70_000, 1_000_000, 3, 0, 200_000] {
            let filler = String(repeating: "x", count: count)
            let escaped = String(repeating: "\\u0078", count: count / 8)
            let record = TestRecord.event("\"a\":\"\(filler)\"", "\"b\":1", "\"user_id\":\"\(escaped)\"")
            guard (record.value?.count ?? 0) <= 1 << 20 else { continue }
            let event = record.judged(by: &decoder, in: memory).event
            #expect(text(event?.extraFields) == "{\"a\":\"\(filler)\",\"b\":1}")
            #expect(event?.userID.count == count / 8)
        }
    }

    @Test func manyMembers() {
        let members = (0..<50_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        #expect(text(TestRecord.event(members).judged().event?.extraFields) == "{\(members)}")
    }

    // MARK: Which reason wins

    @Test func emptyPayloads() {
        #expect(TestRecord(value: nil).judged().reason == .emptyPayload)
        for blank in ["", " ", "\t\r\n ", String(repeating: " ", count: 5000)] {
            #expect(TestRecord(blank).judged().reason == .emptyPayload)
            #expect(TestRecord(blank).with { $0.maxEventBytes = 0 }.judged().reason == .emptyPayload)
        }
        #expect(
            TestRecord(value: nil).with {
                $0.clientIDHeader = "junk"; $0.apiKeyHashHeader = ""
            }.judged().reason == .emptyPayload)
    }

    /// Every fault beside all the later ones: the earlier one is told.
    @Test func theOrderOfReasons() throws {
        let tail = [
            #""event_id":5"#, #""user_id":[]"#, #""session_id":[]"#, #""timestamp":"never""#, #""event_properties":5"#,
        ]
        func verdict(_ members: [String], cut: Bool = false, max: Int = 1 << 20) -> Verdict {
            TestRecord("{" + members.joined(separator: ",") + (cut ? "" : "}")).with { $0.maxEventBytes = max }.judged()
        }
        #expect(verdict(tail, cut: true, max: 10).reason == .payloadTooLarge)
        #expect(verdict(tail, cut: true).reason == .malformedJSON)
        #expect(TestRecord("[\(TestRecord.credentials)]").judged().reason == .malformedJSON)
        #expect(TestRecord("[1]").judged().reason == .notAnObject)
        #expect(TestRecord("[1").judged().reason == .malformedJSON)
        #expect(TestRecord("[1] x").judged().reason == .malformedJSON)
        #expect(verdict(tail).reason == .missingField)
        #expect(
            verdict([#""client_id":5"#, #""api_key_hash":5"#] + tail).detail?.hasPrefix("client_id is a number") == true
        )
        #expect(
            verdict(["\"client_id\":\"\(TestRecord.clientText)\"", #""api_key_hash":5"#] + tail).detail?
                .hasPrefix("api_key_hash is a number") == true)
        #expect(verdict([TestRecord.credentials] + tail).reason == .missingField)
        #expect(verdict([TestRecord.credentials, #""event_name":"""#] + tail).detail == "event_name is empty")

        // The rest one after the other: the first that is left is the one that is told.
        let head = [TestRecord.credentials, #""event_name":"e""#]
        var left = tail
        for name in ["event_id", "user_id", "session_id", "timestamp", "event_properties"] {
            for members in [left, Array(left.reversed())] {
                let refused = verdict(head + members)
                #expect(refused.reason == .invalidField)
                #expect(refused.detail?.hasPrefix(name + " is") == true, "\(refused)")
            }
            left.removeFirst()
        }
        // The range of the timestamp comes last.
        #expect(verdict(head + [#""timestamp":0"#, #""event_properties":5"#]).reason == .invalidField)
        #expect(verdict(head + [#""timestamp":0"#]).reason == .timestampOutOfRange)
        #expect(verdict(head).event != nil)
    }
}
