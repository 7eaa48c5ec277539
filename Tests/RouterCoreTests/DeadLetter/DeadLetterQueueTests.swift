import RouterCore
import Testing

@Suite struct DeadLetterQueueTests {
    private func letter(key: Int?, value: Int?, header: Int?, detail: String = "why") -> DeadLetter {
        DeadLetter(
            key: key.map { [UInt8](repeating: 1, count: $0) }, value: value.map { [UInt8](repeating: 2, count: $0) },
            headers: header.map { [RecordHeader(name: Array("h".utf8), value: [UInt8](repeating: 3, count: $0))] }
                ?? [],
            origin: RecordOrigin(topic: "raw", partition: 3, offset: 7, timestampMilliseconds: 5),
            refusal: Refusal(.malformedJSON, detail), verifiedClient: nil)
    }

    private func size(_ record: DeadLetterRecord) -> Int {
        record.headers.reduce((record.key?.count ?? 0) + (record.value?.count ?? 0)) {
            $0 + $1.name.count + ($1.value?.count ?? 0)
        }
    }

    private func text(_ record: DeadLetterRecord, _ name: String) -> String? {
        record.headers.last { $0.name == Array(name.utf8) }?.value.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The forms that a letter goes through on a topic that takes no more than `limit` bytes.
    private func forms(_ letter: DeadLetter, limit: Int) -> [DeadLetterForm] {
        var queue = DeadLetterQueue<Int>()
        queue.send([letter], as: 1)
        var tried: [DeadLetterForm] = []
        while let (ticket, item) = queue.next(nowMilliseconds: 0) {
            tried.append(item.form)
            let record = item.letter.record(in: item.form, failedAt: "2026-01-01T00:00:00.000Z", connector: "router")
            _ = queue.answered(ticket, size(record) > limit ? .tooLarge : .accepted, nowMilliseconds: 0)
        }
        #expect(queue.takeComplete() == [1] && queue.bytes == 0 && queue.isIdle)
        return tried
    }

    @Test func goesWithoutValueThenHeadersThenKey() {
        let large = 400_000
        #expect(forms(letter(key: 1, value: 1, header: 1), limit: 10_000) == [.whole])
        #expect(forms(letter(key: 1, value: large, header: 1), limit: 10_000) == [.whole, .withoutValue])
        #expect(
            forms(letter(key: 1, value: 1, header: large), limit: 10_000) == [.whole, .withoutValue, .withoutHeaders])
        #expect(
            forms(letter(key: large, value: 1, header: 1), limit: 10_000)
                == [.whole, .withoutValue, .withoutHeaders, .withoutKey])
        // A tombstone has no value to go without.
        #expect(
            forms(letter(key: large, value: nil, header: 1), limit: 10_000) == [.whole, .withoutHeaders, .withoutKey])
        #expect(forms(letter(key: large, value: nil, header: nil), limit: 10_000) == [.whole, .withoutKey])
        // Each part fits, and all of them together do not.
        #expect(
            forms(letter(key: 4_000, value: 4_000, header: 4_000), limit: 10_000) == [.whole, .withoutValue])
    }

    @Test func whatIsLeftOutIsNamedByItsSizeAndHash() {
        let whole = letter(key: 2, value: 3, header: 4)
        let last = whole.record(in: .withoutKey, failedAt: "t", connector: "c")
        #expect(last.key == nil && last.value == nil)
        #expect(text(last, "router.value_bytes") == "3" && text(last, "router.key_bytes") == "2")
        #expect(text(last, "router.headers_bytes") == "5")
        // By sha256sum: of 02 02 02, and of 01 01.
        #expect(
            text(last, "router.value_sha256") == "970bec7483984728e413a0ff65986310f4bbe8fff5f02c58e6064856262d8476")
        #expect(text(last, "router.key_sha256") == "9dcf97a184f32623d11a73124ceb99a5709b083721e878a16d78f596718ba7b2")
        // Of 00000001 68 00000004 03030303.
        #expect(
            text(last, "router.headers_sha256")
                == KeyHash.sha256(ofBytes: [0, 0, 0, 1, 104, 0, 0, 0, 4, 3, 3, 3, 3]))
        #expect(!last.headers.contains { $0.name == Array("h".utf8) })
        let first = whole.record(in: .whole, failedAt: "t", connector: "c")
        #expect(text(first, "router.value_bytes") == nil && text(first, "router.key_bytes") == nil)
    }

    @Test func theLastFormFitsWhateverTheRecord() {
        let detail = String(repeating: "ä𝄞", count: 10_000)
        let last = letter(key: 1 << 20, value: 1 << 20, header: 1 << 20, detail: detail)
            .record(
                in: .withoutKey, failedAt: "2026-01-01T00:00:00.000Z", connector: String(repeating: "g", count: 200))
        #expect(size(last) < 4_000)
    }

    @Test func aRefusalIsTriedAgainAfterAPauseAndNothingIsGivenUp() {
        var queue = DeadLetterQueue<Int>()
        queue.send([letter(key: 1, value: 1, header: nil)], as: 1)
        var now: Int64 = 0
        for _ in 0..<20 {
            let next = queue.next(nowMilliseconds: now)
            #expect(next != nil && queue.next(nowMilliseconds: now) == nil)
            _ = queue.answered(next!.ticket, .failed, nowMilliseconds: now)
            #expect(queue.isFailing && queue.next(nowMilliseconds: now) == nil)
            #expect(queue.nextDeadlineMilliseconds.map { $0 > now } == true)
            now = queue.nextDeadlineMilliseconds!
        }
        #expect(queue.bytes > 0 && !queue.isIdle)
        _ = queue.answered(queue.next(nowMilliseconds: now)!.ticket, .accepted, nowMilliseconds: now)
        #expect(queue.takeComplete() == [1] && queue.bytes == 0)
    }

    @Test func aFullProducerKeepsTheOrder() {
        var queue = DeadLetterQueue<Int>()
        queue.send((1...3).map { letter(key: $0, value: nil, header: nil) }, as: 1)
        let first = queue.next(nowMilliseconds: 0)!
        queue.putBack(first.ticket)
        #expect(queue.next(nowMilliseconds: 0)?.item.letter.key?.count == 1)
        #expect(queue.next(nowMilliseconds: 0)?.item.letter.key?.count == 2)
    }

    @Test func aGroupInPiecesIsCompleteWithItsLastAndAnAbandonedOneNever() {
        var queue = DeadLetterQueue<Int>()
        let one = letter(key: 1, value: 1, header: nil)
        queue.send([one], as: 1, isLast: false)
        _ = queue.answered(queue.next(nowMilliseconds: 0)!.ticket, .accepted, nowMilliseconds: 0)
        #expect(queue.takeComplete().isEmpty && !queue.isIdle)
        queue.send([], as: 1)
        #expect(queue.takeComplete() == [1] && queue.isIdle)
        // Nothing to send is complete at once.
        queue.send([], as: 2)
        #expect(queue.takeComplete() == [2])
        queue.send([one], as: 3, isLast: false)
        let ticket = queue.next(nowMilliseconds: 0)!.ticket
        queue.abandon(3)
        #expect(queue.isIdle && queue.bytes > 0)
        _ = queue.answered(ticket, .accepted, nowMilliseconds: 0)
        #expect(queue.takeComplete().isEmpty && queue.bytes == 0)
    }
}

extension KeyHash {
    fileprivate static func sha256(ofBytes bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { KeyHash.sha256(of: $0).hex }
    }
}
