import RouterCore

/// An event that owns its bytes, for tests: `EventFields` points into memory of others.
struct TestEvent {
    var eventID = UUID128(high: 0, low: 0)
    var eventName: [UInt8] = []
    var userID: [UInt8] = []
    var sessionID: [UInt8] = []
    var timestampMilliseconds: Int64 = 0
    var eventProperties: [UInt8] = Array("{}".utf8)
    var extraFields: [UInt8] = Array("{}".utf8)
    var receivedAtMilliseconds: Int64 = 0
    var offset: Int64 = 0

    func append(to block: EventBlock) {
        eventName.withUnsafeBytes { name in
            userID.withUnsafeBytes { user in
                sessionID.withUnsafeBytes { session in
                    eventProperties.withUnsafeBytes { properties in
                        extraFields.withUnsafeBytes { extra in
                            var fields = EventFields()
                            fields.eventID = eventID
                            fields.eventName = name
                            fields.userID = user
                            fields.sessionID = session
                            fields.timestampMilliseconds = timestampMilliseconds
                            fields.eventProperties = properties
                            fields.extraFields = extra
                            block.append(fields, receivedAtMilliseconds: receivedAtMilliseconds, offset: offset)
                        }
                    }
                }
            }
        }
    }

    /// Every field differs from row to row, and strings differ in length.
    static func numbered(_ number: Int) -> TestEvent {
        TestEvent(
            eventID: UUID128(high: UInt64(number) &* 0x9E37_79B9_7F4A_7C15, low: UInt64(number)),
            eventName: Array("event \(number % 12)".utf8), userID: Array("user-\(number)".utf8),
            sessionID: Array(String(repeating: "s", count: number % 7).utf8),
            timestampMilliseconds: 1_700_000_000_000 + Int64(number) * 1000,
            eventProperties: Array(#"{"n":\#(number),"pad":"\#(String(repeating: "x", count: number % 200))"}"#.utf8),
            receivedAtMilliseconds: 1_700_000_000_500 + Int64(number) * 1000, offset: 1000 + Int64(number) * 3)
    }
}

let testClient = UUID128(high: 0x1122_3344_5566_4788, low: 0x99AA_BBCC_DDEE_FF00)
let testBatch = UUID128(high: 0xFEDC_BA98_7654_4210, low: 0x8123_4567_89AB_CDEF)

func block(_ events: [TestEvent]) -> EventBlock {
    let block = EventBlock()
    for event in events { event.append(to: block) }
    return block
}

func sealed(_ events: [TestEvent], topic: String = "shared_raw_events", partition: Int32 = 7) -> SealedBlock {
    block(events).seal(
        clientID: testClient, batchID: testBatch, topic: topic, partition: partition,
        ingestedAtMilliseconds: 1_750_000_000_001)
}

extension SealedBlock {
    /// The body in one piece, as a server would get it.
    var body: [UInt8] { segments.flatMap { Array($0) } }
}
