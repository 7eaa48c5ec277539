import DecoderReference
import Glibc
import RouterCore

/// Gives one input to the decoder and to the reference, and ends the process where they differ, so that libFuzzer keeps
/// the input.
final class Comparison {
    var tally = Tally()
    /// One for each limit of `FuzzInput`, kept from input to input as the service keeps its own: what one event leaves
    /// behind must not reach the next.
    private var decoders: [Int: Decoder] = [:]

    /// A decoder cannot be copied, and a dictionary's values have to be.
    private final class Decoder {
        var decoder: EventDecoder
        init(maxEventBytes: Int) { decoder = EventDecoder(topic: FuzzInput.topic, maxEventBytes: maxEventBytes) }
    }

    func run(_ bytes: UnsafeRawBufferPointer) {
        let input = FuzzInput(Array(bytes))
        // The decoder reads libFuzzer's memory and no copy: its end is guarded.
        let value = bytes.count > FuzzInput.prefixBytes ? UnsafeRawBufferPointer(rebasing: bytes.dropFirst(3)) : nil
        let decoder = decoders[input.maxEventBytes] ?? Decoder(maxEventBytes: input.maxEventBytes)
        decoders[input.maxEventBytes] = decoder

        withHeader(input.headers.clientID) { clientID in
            withHeader(input.headers.keyHash) { keyHash in
                let record = RecordView(
                    value: value, partition: input.partition, offset: input.offset,
                    timestampMilliseconds: input.timestampMilliseconds, clientIDHeader: clientID,
                    apiKeyHashHeader: keyHash, hasRepeatedCredentialHeader: input.headers.isRepeated)
                let verdict = judged(record, input)
                count(verdict)
                compare(record, verdict, by: decoder)
            }
        }
    }

    private func withHeader(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Void) {
        guard var text else { return body(nil) }
        text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    private func judged(_ record: RecordView, _ input: FuzzInput) -> reference_verdict {
        var asked = reference_record()
        asked.value = record.value.reference
        asked.has_client_id_header = record.clientIDHeader != nil
        asked.client_id_header = record.clientIDHeader.reference
        asked.has_api_key_hash_header = record.apiKeyHashHeader != nil
        asked.api_key_hash_header = record.apiKeyHashHeader.reference
        asked.has_repeated_header = record.hasRepeatedCredentialHeader
        asked.has_timestamp = record.timestampMilliseconds != nil
        asked.timestamp_milliseconds = record.timestampMilliseconds ?? 0
        asked.partition = record.partition
        asked.offset = record.offset
        asked.max_event_bytes = input.maxEventBytes
        var verdict = reference_verdict()
        withHeader(FuzzInput.topic) { topic in
            asked.topic = topic.reference
            reference_judge(&asked, &verdict)
        }
        if let disagreement = verdict.parsers_disagree {
            fail("the two parsers of the reference disagree: \(String(cString: disagreement))")
        }
        return verdict
    }

    private func count(_ verdict: reference_verdict) {
        tally.executions += 1
        if verdict.is_valid_json { tally.validJSON += 1 }
        if let reason = verdict.reason {
            tally.refused[String(cString: reason), default: 0] += 1
        } else {
            tally.accepted += 1
        }
    }

    private func compare(_ record: RecordView, _ expected: reference_verdict, by decoder: Decoder) {
        let reason = expected.reason.map { String(cString: $0) }
        switch decoder.decoder.open(record) {
        case .refused(let refusal):
            expect(refusal.reason.rawValue == reason, "refused: \(refusal); reference: \(reason ?? "accepted")")
        case .credentials(let client, let keyHash):
            var event = EventFields()
            if let refusal = decoder.decoder.finish(record, into: &event) {
                expect(refusal.reason.rawValue == reason, "refused: \(refusal); reference: \(reason ?? "accepted")")
                return
            }
            expect(reason == nil, "accepted; reference: \(reason ?? "")")
            compare(client, keyHash, event, expected)
        }
    }

    private func compare(
        _ client: ClientID, _ keyHash: KeyHash, _ event: EventFields, _ expected: reference_verdict
    ) {
        expect(uuid(expected.client_id) == client, "client_id")
        let hash = withUnsafeBytes(of: expected.api_key_hash) { words in
            (0..<4).map { UInt64(bigEndian: words.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
        }
        expect(keyHash.matches(KeyHash(hash[0], hash[1], hash[2], hash[3])), "api_key_hash")
        expect(uuid(expected.event_id) == event.eventID, "event_id: \(event.eventID)")
        let moment = expected.timestamp_milliseconds
        expect(moment == event.timestampMilliseconds, "timestamp: \(event.timestampMilliseconds), not \(moment)")
        let columns = [
            ("event_name", event.eventName, expected.event_name), ("user_id", event.userID, expected.user_id),
            ("session_id", event.sessionID, expected.session_id),
            ("event_properties", event.eventProperties, expected.event_properties),
            ("extra_fields", event.extraFields, expected.extra_fields),
        ]
        for (name, found, wanted) in columns {
            let wantedBytes = UnsafeRawBufferPointer(start: wanted.bytes, count: wanted.count)
            expect(
                found.elementsEqual(wantedBytes),
                "\(name): \(String(decoding: found, as: UTF8.self)); "
                    + "reference: \(String(decoding: wantedBytes, as: UTF8.self))")
        }
    }

    private func uuid<Bytes>(_ bytes: Bytes) -> UUID128 {
        withUnsafeBytes(of: bytes) { bytes in
            UUID128(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    private func expect(_ holds: Bool, _ message: @autoclosure () -> String) {
        if !holds { fail("DISAGREEMENT: \(message())") }
    }

    private func fail(_ message: String) -> Never {
        let text = "\n== \(message)\n"
        _ = write(STDERR_FILENO, text, text.utf8.count)
        abort()
    }
}

extension Optional<UnsafeRawBufferPointer> {
    fileprivate var reference: reference_bytes {
        reference_bytes(bytes: self?.baseAddress?.assumingMemoryBound(to: UInt8.self), count: self?.count ?? 0)
    }
}
