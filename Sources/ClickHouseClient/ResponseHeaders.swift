/// Picks out of the response's header lines the few that an answer is judged by.
struct ResponseHeaders {
    private(set) var values = AnswerJudge.Headers()

    /// No header that is of interest is longer, but for the summary, which has some ten numbers.
    private static let maxValueBytes = 4096

    /// Takes one line as curl hands it over, with its line end.
    mutating func take(_ line: UnsafeRawBufferPointer) {
        // A status line starts a new response: after `100 Continue` comes another one.
        if line.starts(with: "HTTP/".utf8) {
            values = AnswerJudge.Headers()
            return
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon <= 64 else { return }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        switch name {
        case "content-length", "transfer-encoding": values.hasFraming = true
        case "x-clickhouse-exception-code": values.exceptionCode = value(of: line, after: colon)
        case "x-clickhouse-summary": values.summary = value(of: line, after: colon)
        case "x-clickhouse-query-id": values.queryID = value(of: line, after: colon)
        default: break
        }
        if name.hasPrefix("x-clickhouse-") { values.isFromClickHouse = true }
    }

    private func value(of line: UnsafeRawBufferPointer, after colon: Int) -> String {
        var bytes = line[(colon + 1)...].prefix(Self.maxValueBytes)
        while let first = bytes.first, first == 32 || first == 9 { bytes.removeFirst() }
        while let last = bytes.last, last == 32 || last == 9 || last == 13 || last == 10 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
