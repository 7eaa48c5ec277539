import Foundation
import RouterCore
import Testing

/// The decoder against Reference/event_reference.py, which was written from the contract with Python's json, re and
/// fractions and shares no code with it. What the router accepts has to be equal to the byte, the derived id and the
/// spans included; what it refuses has to be refused for the same reason.
///
/// `ROUTER_FUZZ_CASES` sets how many cases (100,000 otherwise), `ROUTER_FUZZ_SEED` repeats a run.
@Suite struct EventReferenceTests {
    struct Report: Decodable {
        var cases: Int
        var validJSON: Int
        var accepted: Int
        var reasons: [String: Int]
        var disagreements: Int
        var shown: [String]
    }

    @Test func agreesWithTheReference() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["ROUTER_FUZZ_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
        let count = environment["ROUTER_FUZZ_CASES"].flatMap { Int($0) } ?? 100_000
        let report = try compare(count: count, seed: seed)
        let summary = "ROUTER_FUZZ_SEED=\(seed) ROUTER_FUZZ_CASES=\(count): \(report.validJSON) valid JSON, "
        print(summary + "\(report.accepted) accepted, \(report.reasons.sorted { $0.key < $1.key })")
        #expect(report.cases == count)
        #expect(report.disagreements == 0, "seed \(seed)\n\(report.shown.joined(separator: "\n"))")
        // Agreement on nothing but refusals would prove little.
        #expect(report.validJSON * 10 >= count * 3)
        #expect(report.accepted * 10 >= count * 2)
        let judged: [DeadLetterReason] = [
            .malformedJSON, .notAnObject, .emptyPayload, .payloadTooLarge, .missingField, .invalidField,
            .timestampOutOfRange,
        ]
        for reason in judged { #expect(report.reasons[reason.rawValue, default: 0] > count / 2000, "\(reason)") }
    }

    private func compare(count: Int, seed: UInt64) throws -> Report {
        // A reference that ends early must fail this test and not the process.
        signal(SIGPIPE, SIG_IGN)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Reference/event_reference.py")
        let (process, input, output) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script.path]
        process.standardInput = input
        process.standardOutput = output
        try process.run()

        var generator = EventGenerator(seed: seed)
        var decoder = EventDecoder(topic: "shared_raw_events", maxEventBytes: 1 << 20)
        let memory = GuardedMemory(capacity: 1 << 16)
        var lines = Data()
        for _ in 0..<count {
            let record = generator.record()
            let verdict: Verdict
            if record.maxEventBytes == 1 << 20 {
                verdict = record.judged(by: &decoder, in: memory)
            } else {
                verdict = record.judged()
            }
            lines.append(line(record, verdict))
            if lines.count > 1 << 16 {
                try input.fileHandleForWriting.write(contentsOf: lines)
                lines.removeAll(keepingCapacity: true)
            }
        }
        try input.fileHandleForWriting.write(contentsOf: lines)
        try input.fileHandleForWriting.close()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try JSONDecoder().decode(Report.self, from: answer)
    }

    /// A case as one line of JSON; byte strings as base64. None of the texts put in needs escaping.
    private func line(_ record: TestRecord, _ verdict: Verdict) -> Data {
        func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
        var members = [
            "\"topic\":\"\(record.topic)\",\"partition\":\(record.partition),\"offset\":\(record.offset)",
            "\"maxEventBytes\":\(record.maxEventBytes),\"repeatedHeader\":\(record.hasRepeatedCredentialHeader)",
        ]
        if let value = record.value { members.append("\"value\":\"\(base64(value))\"") }
        if let timestamp = record.timestampMilliseconds { members.append("\"timestamp\":\(timestamp)") }
        if let header = record.clientIDHeader { members.append("\"clientIDHeader\":\"\(header)\"") }
        if let header = record.apiKeyHashHeader { members.append("\"apiKeyHashHeader\":\"\(header)\"") }
        switch verdict {
        case .refused(let refusal): members.append("\"reason\":\"\(refusal.reason.rawValue)\"")
        case .accepted(let event):
            members.append(
                """
                "event":{"client":"\(event.client)","keyHash":"\(event.keyHashHex)","eventID":"\(event.eventID)",\
                "timestamp":\(event.timestampMilliseconds),"eventName":"\(base64(event.eventName))",\
                "userID":"\(base64(event.userID))","sessionID":"\(base64(event.sessionID))",\
                "eventProperties":"\(base64(event.eventProperties))","extraFields":"\(base64(event.extraFields))"}
                """)
        }
        return Data(("{" + members.joined(separator: ",") + "}\n").utf8)
    }
}
