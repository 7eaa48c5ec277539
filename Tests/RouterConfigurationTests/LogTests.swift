import Foundation
import Logging
import Synchronization
import Testing

@testable import RouterConfiguration

@Suite struct LogTests {
    /// Collects what is written.
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    /// A logger at a fixed time, and what it writes.
    func logger(
        _ format: Settings.LogFormat, isTerminal: Bool = false, environment: [String: String] = [:],
        level: Logger.Level = .trace
    ) -> (Logger, Lines) {
        let lines = Lines()
        let handler = RouterLogHandler(
            label: "kafka", level: level,
            formatter: RouterLogHandler.formatter(format, isTerminal: isTerminal, environment: environment),
            now: { LogTime(milliseconds: 1_767_225_599_007) }, write: lines.add)
        return (Logger(label: "kafka") { _ in handler }, lines)
    }

    @Test func jsonIsOneParseableLine() throws {
        let (logger, lines) = logger(.json)
        logger.error(
            "broken\n\"line\" \u{1B}[2J\u{9B}\u{2028}ä🚀",
            metadata: [
                "a": "1", "nested": ["b": ["c": "2"]], "list": ["x", "y"], "ts": "mine", "metadata.ts": "too",
            ])
        let line = try #require(lines.all.first)
        #expect(lines.all.count == 1)
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { $0 != "\n" })
        #expect(!line.unicodeScalars.contains { $0 != "\n" && ($0.value < 0x20 || (0x7F...0x9F).contains($0.value)) })
        let fields = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(
            fields == [
                "ts": "2025-12-31T23:59:59.007Z", "level": "error", "logger": "kafka",
                "message": "broken\n\"line\" \u{1B}[2J\u{9B}\u{2028}ä🚀", "a": "1", "nested.b.c": "2", "list.0": "x",
                "list.1": "y", "metadata.ts": "too", "metadata.metadata.ts": "mine",
            ])
    }

    @Test func textIsOneLineWithoutControlCharacters() throws {
        let (logger, lines) = logger(.text)
        logger.warning("two\nlines\u{1B}[2J", metadata: ["path": "/a b", "n": "1", "e": "", "q": "say \"x\""])
        #expect(
            lines.all == [
                "2025-12-31 23:59:59.007Z WARNING  kafka: two\\nlines\\u{1B}[2J  e=\"\"  n=1  path=\"/a b\"  "
                    + "q=\"say \\\"x\\\"\"\n"
            ])
    }

    @Test func coloursAreForTerminalsOnly() {
        func hasColours(_ isTerminal: Bool, _ environment: [String: String]) -> Bool {
            let (logger, lines) = logger(.text, isTerminal: isTerminal, environment: environment)
            logger.error("x")
            return lines.all.contains { $0.contains("\u{1B}[") }
        }
        #expect(hasColours(true, [:]))
        #expect(hasColours(true, ["NO_COLOR": ""]))
        #expect(!hasColours(true, ["NO_COLOR": "1"]))
        #expect(!hasColours(true, ["TERM": "dumb"]))
        #expect(!hasColours(false, [:]))
    }

    @Test func levelsAndMetadataOfTheLoggerCount() throws {
        var (logger, lines) = logger(.json, level: .notice)
        logger[metadataKey: "client"] = "a"
        logger.info("not this")
        logger.notice("this", metadata: ["n": "1"])
        let fields = try #require(
            try JSONSerialization.jsonObject(with: Data(lines.all[0].utf8)) as? [String: String])
        #expect(lines.all.count == 1)
        #expect(fields["client"] == "a" && fields["n"] == "1")
    }

    @Test func longTextsAreCutBetweenCharacters() {
        let limit = LogLine.maxTextBytes
        let atLimit = String(repeating: "x", count: limit)
        #expect(LogLine.cut(atLimit) == atLimit)
        #expect(LogLine.cut(atLimit + "x") == atLimit + "… (cut, \(limit + 1) bytes)")
        let straddling = String(repeating: "x", count: limit - 1) + "🚀"
        #expect(LogLine.cut(straddling) == String(repeating: "x", count: limit - 1) + "… (cut, \(limit + 3) bytes)")
    }

    @Test func fieldsAreLimitedAndCounted() throws {
        func fields(_ count: Int) -> LogLine {
            let entries = (0..<count).map { ("f\($0)", Logger.MetadataValue.string("1")) }
            return LogLine(
                level: .info, logger: "l", message: "m", error: nil,
                metadata: Logger.Metadata(uniqueKeysWithValues: entries))
        }
        #expect(fields(LogLine.maxFields).fields.count == LogLine.maxFields)
        let more = fields(LogLine.maxFields + 3).fields
        #expect(more.count == LogLine.maxFields + 1)
        #expect(more.last?.name == "dropped_fields" && more.last?.value == "3")
    }

    @Test func deepMetadataIsOneText() {
        var deep = Logger.MetadataValue.string("end")
        for _ in 0..<LogLine.maxDepth + 2 { deep = .dictionary(["d": deep]) }
        let line = LogLine(level: .info, logger: "l", message: "m", error: nil, metadata: ["m": deep])
        #expect(line.fields.map(\.name) == ["m" + String(repeating: ".d", count: LogLine.maxDepth - 1)])
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ]) func timesAreRFC3339(milliseconds: Int64, text: String) {
        #expect(LogTime(milliseconds: milliseconds).text() == text)
    }

    /// Through a pipe, because the kernel splits lines longer than its buffer: only the lock keeps them whole.
    @Test func linesOfManyThreadsDoNotMix() throws {
        let pipe = Pipe()
        let output = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let ready = (0..<4).map { String(repeating: "\($0)", count: 200_000) + "\n" }
        // Threads of their own: tasks share as many threads as there are cores, and the blocking reader takes one.
        let writers = DispatchGroup()
        for line in ready {
            writers.enter()
            Thread.detachNewThread {
                for _ in 0..<10 { output.write(line) }
                writers.leave()
            }
        }
        writers.notify(queue: .global()) { try? pipe.fileHandleForWriting.close() }
        let lines = try (pipe.fileHandleForReading.readToEnd() ?? Data()).split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 40)
        #expect(lines.allSatisfy { $0.count == 200_000 && Set($0).count == 1 })
    }
}
