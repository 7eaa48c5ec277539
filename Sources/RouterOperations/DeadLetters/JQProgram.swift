import Foundation
import RouterCore

/// A fix-up as one jq program: `jq` runs beside us for as long as the replay does, and gets one record after the other.
///
/// A record's value goes in as JSON where it is JSON, else as a string of its text (`fromjson` after a repair), a tombstone
/// as null. What comes out is the value that is judged; nothing at all leaves the dead letter as it is; more than one
/// value, or an error, is a failure of this record alone.
final class JQProgram {
    enum Output: Equatable, Sendable {
        case value([UInt8])
        case nothing
        case failed(String)
    }

    /// Without an output for this long the program does not end for its record.
    static let timeoutMilliseconds = 30_000
    /// Far above the largest event with everything in it escaped.
    static let maxLineBytes = 64 << 20
    /// What of an error text is kept.
    private static let maxErrorCharacters = 200

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors: FileHandle
    private let errorsURL: URL
    private var buffer: [UInt8] = []
    private var searched = 0
    private var count = 0

    /// Checks the program, and starts it.
    init(_ program: String) throws {
        // A jq that ends early must be an error that we read, and not a signal that ends us.
        signal(SIGPIPE, SIG_IGN)
        try Self.check(program)
        errorsURL = FileManager.default.temporaryDirectory.appendingPathComponent("router-jq-\(UUID128.random())")
        guard
            FileManager.default.createFile(
                atPath: errorsURL.path, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw OperationError("jq_failed", "no temporary file can be made at \(errorsURL.path)") }
        errors = try FileHandle(forWritingTo: errorsURL)
        // Every record has one line of output, whatever the program does; "n" tells whose it is.
        let wrapped = """
            . as $router_record | {n: $router_record.n} + (try {out: [limit(2; ($router_record
            | if .j then (.t | fromjson) else .t end) | (
            \(program)
            )) | tojson]} catch {err: (if type == "string" then . else tojson end)})
            """
        Self.prepare(process, ["--unbuffered", "-c", wrapped])
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    deinit { close() }

    func close() {
        guard process.isRunning else { return }
        process.terminate()
        try? FileManager.default.removeItem(at: errorsURL)
    }

    /// The program on its own, so that what is wrong is said in its own words, and with no input: nothing is run.
    private static func check(_ program: String) throws {
        let process = Process()
        prepare(process, ["-c", program])
        let errors = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        switch process.terminationStatus {
        case 0: return
        case 127:
            throw OperationError("jq_missing", "the program jq is not on the PATH; install it (Debian: apt install jq)")
        default:
            throw OperationError("jq_invalid", "jq does not take the program of --jq: \(TextTable.oneLine(text))")
        }
    }

    /// jq by the PATH, and nothing else of our environment: it holds secrets, which `env` would tell.
    private static func prepare(_ process: Process, _ arguments: [String]) {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // With a blank before it a program that begins with a minus is no option.
        process.arguments = ["jq"] + arguments.dropLast() + [" " + (arguments.last ?? "")]
        process.environment = ProcessInfo.processInfo.environment.filter { ["PATH", "LANG", "HOME"].contains($0.key) }
    }

    // MARK: Records

    /// Puts these values through the program.
    func transform(_ values: [[UInt8]?]) throws -> [Output] {
        let first = count
        count += values.count
        // Writing goes on beside reading, or each would wait for the other once the pipes are full.
        let descriptor = input.fileHandleForWriting.fileDescriptor
        let writer = DispatchQueue(label: "router.jq")
        let done = DispatchSemaphore(value: 0)
        writer.async {
            for (index, value) in values.enumerated() where !Self.write(Self.line(first + index, value), descriptor) {
                break
            }
            done.signal()
        }
        defer { done.wait() }
        do {
            return try values.indices.map { index in
                // Text that is not UTF-8 goes in as nothing: jq would change it.
                let output = try read(first + index)
                guard let value = values[index], String(validating: value, as: UTF8.self) == nil else { return output }
                return .failed("the value is not UTF-8, which jq cannot read")
            }
        } catch {
            // The writer must come to an end as well.
            process.terminate()
            throw error
        }
    }

    private static func line(_ number: Int, _ value: [UInt8]?) -> [UInt8] {
        guard let value, String(validating: value, as: UTF8.self) != nil else {
            return Array("{\"n\":\(number),\"t\":null,\"j\":false}\n".utf8)
        }
        let isJSON = value.withUnsafeBytes { JSONText.isDocument($0) }
        var line = Array("{\"n\":\(number),\"j\":\(isJSON),\"t\":\"".utf8)
        line.reserveCapacity(value.count + value.count / 4 + 64)
        for byte in value {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: line += Array(String(format: "\\u%04x", byte).utf8)
            default: line.append(byte)
            }
        }
        line += Array("\"}\n".utf8)
        return line
    }

    private static func write(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    private struct Answer: Decodable {
        var n: Int
        var out: [String]?
        var err: String?
    }

    private func read(_ number: Int) throws -> Output {
        let line = try nextLine()
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(line)), answer.n == number else {
            throw OperationError(
                "jq_out_of_step",
                "the program of --jq reads further records by itself (input, inputs); it is given one record at a time, "
                    + "and nothing of this part was touched")
        }
        if let error = answer.err { return .failed("the jq program failed: \(Self.redacted(error))") }
        let values = answer.out ?? []
        switch values.count {
        case 0: return .nothing
        case 1: return .value(Array(values[0].utf8))
        default: return .failed("the jq program gave more than one value; a record becomes one record")
        }
    }

    /// jq quotes values in its errors; a key's hash must not get anywhere by that.
    static func redacted(_ text: String) -> String {
        var result = ""
        var run = ""
        func flush() {
            result += run.count >= 8 ? "…" : run
            run = ""
        }
        for character in TextTable.oneLine(text).prefix(maxErrorCharacters) {
            if character.isHexDigit {
                run.append(character)
            } else {
                flush()
                result.append(character)
            }
        }
        flush()
        return result
    }

    private func nextLine() throws -> [UInt8] {
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let line = Array(buffer[..<end])
                buffer.removeFirst(end + 1)
                searched = 0
                return line
            }
            searched = buffer.count
            guard buffer.count < Self.maxLineBytes else {
                throw OperationError("jq_failed", "the jq program gave a value of more than \(Self.maxLineBytes) bytes")
            }
            try readMore()
        }
    }

    private func readMore() throws {
        let descriptor = output.fileHandleForReading.fileDescriptor
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var answer: Int32 = -1
        repeat { answer = poll(&entry, 1, Int32(Self.timeoutMilliseconds)) } while answer < 0 && errno == EINTR
        guard answer > 0 else {
            process.terminate()
            throw OperationError(
                "jq_failed",
                "the jq program does not come to an end: no output for \(Self.timeoutMilliseconds / 1000) s")
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var count = -1
        repeat { count = Foundation.read(descriptor, &chunk, chunk.count) } while count < 0 && errno == EINTR
        guard count > 0 else {
            process.waitUntilExit()
            let text = (try? String(contentsOf: errorsURL, encoding: .utf8)) ?? ""
            throw OperationError(
                "jq_failed",
                "jq ended in the middle, with status \(process.terminationStatus): \(Self.redacted(text))")
        }
        buffer.append(contentsOf: chunk[..<count])
    }
}
