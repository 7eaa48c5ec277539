import Testing

@testable import RouterOperations

@Suite struct DeadLetterOriginTests {
    private static func origin(_ headers: [(String, String?)]) -> DeadLetterOriginReader.Origin {
        var reader = DeadLetterOriginReader(topic: "raw")
        reader.begin()
        for (name, value) in headers {
            Array(name.utf8).withUnsafeBytes { name in
                if let value {
                    Array(value.utf8).withUnsafeBytes { reader.take(name: name, value: $0) }
                } else {
                    reader.take(name: name, value: nil)
                }
            }
        }
        return reader.origin
    }

    private static let good: [(String, String?)] = [
        ("router.reason", "missing_field"), ("router.origin.topic", "raw"), ("router.origin.partition", "3"),
        ("router.origin.offset", "42"),
    ]

    @Test func theRoutersOwnHeadersAreRead() {
        #expect(Self.origin(Self.good) == .origin(.init(partition: 3, offset: 42, reason: 4)))
        #expect(DeadLetterOrigin.name(ofReason: 4) == "missing_field")
    }

    /// A producer may have written them first; the router's come behind.
    @Test func theLastOfANameCounts() {
        let forged: [(String, String?)] = [
            ("router.origin.topic", "other"), ("router.origin.offset", "7"), ("router.origin.partition", "x"),
            ("router.reason", "nonsense"),
        ]
        #expect(Self.origin(forged + Self.good) == .origin(.init(partition: 3, offset: 42, reason: 4)))
        #expect(Self.origin(Self.good + [("router.origin.offset", "7x")]) == .malformed)
        #expect(Self.origin(Self.good + [("router.origin.topic", nil)]) == .malformed)
    }

    @Test(arguments: [
        "", "-1", "0x10", " 1", "1 ", "+1", "9999999999999999999", "99999999999999999999999", "36028797018963968", "½",
    ])
    func anOffsetThatIsNoneIsMalformed(text: String) {
        #expect(Self.origin(Self.good + [("router.origin.offset", text)]) == .malformed)
    }

    @Test func numbersAreReadUpToTheirLimits() {
        let last = String(DeadLetterOrigin.maxOffset - 1)
        #expect(
            Self.origin(Self.good + [("router.origin.offset", last)])
                == .origin(.init(partition: 3, offset: DeadLetterOrigin.maxOffset - 1, reason: 4)))
        #expect(Self.origin(Self.good + [("router.origin.partition", "2147483647")]) == .malformed)
        #expect(
            Self.origin(Self.good + [("router.origin.partition", "2147483646")])
                == .origin(.init(partition: 2_147_483_646, offset: 42, reason: 4)))
    }

    @Test func anotherTopicIsNotOurs() {
        #expect(Self.origin(Self.good + [("router.origin.topic", "raw2")]) == .otherTopic)
        #expect(Self.origin(Self.good + [("router.origin.topic", "ra")]) == .otherTopic)
        #expect(Self.origin([]) == .malformed)
        #expect(Self.origin([("x", "y"), ("router.", nil)]) == .malformed)
    }

    @Test func anUnknownReasonIsKeptApart() {
        let origin = Self.origin(Self.good + [("router.reason", "no_such")])
        #expect(origin == .origin(.init(partition: 3, offset: 42, reason: DeadLetterOrigin.unknownReason)))
        #expect(DeadLetterOrigin.name(ofReason: DeadLetterOrigin.unknownReason) == "unknown")
    }

    @Test func theRecordsOwnTimeIsReadWhereItIsOne() {
        for (text, time) in [("1700000000123", 1_700_000_000_123), ("", nil), ("soon", nil)] as [(String, Int64?)] {
            #expect(
                Self.origin(Self.good + [("router.origin.timestamp", text)])
                    == .origin(.init(partition: 3, offset: 42, reason: 4, timestampMilliseconds: time)))
        }
    }

    /// Records of a topic's former log had the same offsets: each keeps its own dead letter, and a repeated one is one.
    @Test func anIndexKeepsOneDeadLetterOfEachRecord() {
        var index = DeadLetterIndex(judged: [0: 0..<20])
        for (offset, reason, time) in [(5, 2, 70), (5, 1, 70), (5, 3, 9), (5, 3, nil), (6, 1, 9)]
            as [(Int64, UInt8, Int64?)]
        {
            index.add(
                .origin(.init(partition: 0, offset: offset, reason: reason, timestampMilliseconds: time)))
        }
        index.seal()
        var found: [String] = []
        index.forEach(0, in: 0..<20) {
            found.append("\($0.offset) \($0.reason) \($0.timestampMilliseconds.map(String.init) ?? "-")")
        }
        #expect(found == ["5 3 -", "5 3 9", "5 1 70", "6 1 9"])
    }

    @Test func anIndexJudgesWhatIsInItsRangesOnly() {
        var index = DeadLetterIndex(judged: [0: 10..<20, 1: 0..<0])
        for offset in [9, 10, 19, 20, 15, 15] as [Int64] {
            index.add(.origin(.init(partition: 0, offset: offset, reason: 1)))
        }
        index.add(.origin(.init(partition: 1, offset: 0, reason: 1)))
        index.add(.origin(.init(partition: 2, offset: 10, reason: 1)))
        index.add(.malformed)
        index.add(.otherTopic)
        index.seal()
        var found: [Int64] = []
        index.forEach(0, in: 0..<100) { found.append($0.offset) }
        #expect(found == [10, 15, 19])
        found = []
        index.forEach(0, in: 11..<19) { found.append($0.offset) }
        #expect(found == [15])
        #expect(
            index.seen
                == .init(read: 10, malformed: 2, ofOtherTopics: 1, inFlight: 2, beyondRetention: 1))
    }
}
