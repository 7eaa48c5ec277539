import Foundation
import RouterCore
import Testing

/// The decoder against Reference/event_reference.py, which was written from the contract with Python's json, re and
/// fractions and shares no code with it. What the router accepts has to be equal to the byte, the derived id and the
/// spans included; what it refuses has to be refused for the same reason.
///
/// `ROUTER_FUZZ_CASES` sets how many cases (100,000 otherwise), `ROUTER_FUZZ_SEED` repeats a run.
@Suite struct EventReferenceTests {
    @Test func agreesWithTheReference() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["ROUTER_FUZZ_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
        let count = environment["ROUTER_FUZZ_CASES"].flatMap { Int($0) } ?? 100_000
        var generator = EventGenerator(seed: seed)
        let report = try EventReference.judge((0..<count).lazy.map { _ in generator.record() })
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

    /// Every input that fuzzing has kept, by hand or because it reached something new: Tests/Fuzzing/Corpus.
    @Test func agreesWithTheReferenceOnTheCorpus() throws {
        let inputs = try FuzzInput.corpus()
        #expect(inputs.count > 500)
        let report = try EventReference.judge(inputs.map { TestRecord($0) })
        print("corpus: \(report.cases) inputs, \(report.validJSON) valid JSON, \(report.accepted) accepted")
        #expect(report.cases == inputs.count)
        #expect(report.disagreements == 0, "\(report.shown.joined(separator: "\n"))")
        #expect(report.validJSON * 10 >= report.cases * 3)
    }
}

extension FuzzInput {
    /// The seeds, one file each, and what was found, one line of base64 each.
    fileprivate static func corpus() throws -> [FuzzInput] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fuzzing/Corpus").standardizedFileURL
        let seeds = try FileManager.default.contentsOfDirectory(
            at: folder.appendingPathComponent("seeds"), includingPropertiesForKeys: nil)
        let found = try String(contentsOf: folder.appendingPathComponent("found.b64"), encoding: .ascii)
        return try seeds.sorted { $0.path < $1.path }.map { FuzzInput(Array(try Data(contentsOf: $0))) }
            + found.split(separator: "\n").map { line in
                FuzzInput(Array(try #require(Data(base64Encoded: String(line)), "no base64: \(line)")))
            }
    }
}

extension TestRecord {
    fileprivate init(_ input: FuzzInput) {
        self.init(value: input.value.isEmpty ? nil : Array(input.value))
        topic = FuzzInput.topic
        partition = input.partition
        offset = input.offset
        timestampMilliseconds = input.timestampMilliseconds
        clientIDHeader = input.headers.clientID
        apiKeyHashHeader = input.headers.keyHash
        hasRepeatedCredentialHeader = input.headers.isRepeated
        maxEventBytes = input.maxEventBytes
    }
}
