import Foundation
import RouterCore
import Testing

/// Reference/event_reference.py, running beside the test.
enum EventReference {
    struct Report: Decodable {
        var cases: Int
        var validJSON: Int
        var accepted: Int
        var reasons: [String: Int]
        var disagreements: Int
        var shown: [String]
    }

    /// Judges every record twice: by the decoder, and by the reference, which also compares.
    static func judge(_ records: some Sequence<TestRecord>) throws -> Report {
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

        var decoder = EventDecoder(topic: "shared_raw_events", maxEventBytes: 1 << 20)
        let memory = GuardedMemory(capacity: 1 << 16)
        var lines = Data()
        for record in records {
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
    private static func line(_ record: TestRecord, _ verdict: Verdict) -> Data {
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
