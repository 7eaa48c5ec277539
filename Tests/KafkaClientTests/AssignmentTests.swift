import Testing

@testable import KafkaClient

/// A member's assignment as the broker hands it over: bytes that another client wrote.
struct AssignmentTests {
    static func parse(_ bytes: [UInt8]) -> [TopicPartition] {
        bytes.withUnsafeBytes { KafkaGroup.assignment($0) }
    }

    /// Version 1, two topics, no user data: as Java's client writes it.
    static let whole: [UInt8] =
        [0, 1, 0, 0, 0, 2] + [0, 1] + Array("a".utf8) + [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5] + [0, 2]
        + Array("bc".utf8) + [0, 0, 0, 1, 0, 0, 1, 0] + [255, 255, 255, 255]

    @Test func everyPartitionIsFound() {
        let wanted = [("a", 0), ("a", 5), ("bc", 256)].map { TopicPartition(topic: $0.0, partition: Int32($0.1)) }
        #expect(Self.parse(Self.whole) == wanted)
    }

    @Test func whatIsCutOrWrongIsNoAssignment() {
        let needed = Self.whole.count - 4
        for count in 0..<needed { #expect(Self.parse(Array(Self.whole.prefix(count))).isEmpty, "\(count) bytes") }
        #expect(Self.parse([0, 1, 255, 255, 255, 255]).isEmpty)
        #expect(Self.parse([0, 1, 127, 255, 255, 255]).isEmpty)
        #expect(Self.parse([0, 1, 0, 0, 0, 1, 255, 255]).isEmpty)
        #expect(Self.parse([0, 1, 0, 0, 0, 1, 0, 0, 127, 255, 255, 255]).isEmpty)
    }
}
