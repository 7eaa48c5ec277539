/// Judges a whole HTTP answer. A value without I/O, so that every lie a server can tell is a line in a test.
struct AnswerJudge {
    /// What has been taken from the headers of the last response.
    struct Headers: Equatable {
        var exceptionCode: String?
        var summary: String?
        var queryID: String?
        /// Any `X-ClickHouse-…`: ClickHouse itself speaks, not a proxy before it.
        var isFromClickHouse = false
        /// Content-Length or chunks: the end of the body can be told from a broken connection.
        var hasFraming = false
    }

    var status: Int
    var headers: Headers
    var body: [UInt8]

    /// The tail in which a late exception is looked for: the server cuts its message to this length.
    private static let tailBytes = 16 * 1024 + 512

    func answer() -> ClickHouseAnswer {
        if let exception { return .exception(exception) }
        if let header = headers.exceptionCode {
            return .unknown(foreign("an exception code that is not a number ('\(header.prefix(20))')"))
        }
        guard status == 200 else { return .unknown(foreign("HTTP status \(status) without a ClickHouse exception")) }
        guard headers.isFromClickHouse else {
            return .unknown(foreign("status 200 without any X-ClickHouse header: this is not ClickHouse"))
        }
        guard headers.hasFraming else {
            return .unknown(foreign("status 200 without a Content-Length or chunks: a cut answer would look whole"))
        }
        let summary = headers.summary.map(Self.summary) ?? [:]
        return .acknowledged(ClickHouseResponse(body: body, summary: summary, queryID: headers.queryID))
    }

    /// The exception, by header first, then at the start of the body, then at its end, where a query that fails while
    /// its answer is under way leaves it.
    private var exception: ClickHouseException? {
        if let code = headers.exceptionCode.flatMap({ Int($0) }), code != 0 { return exception(code, body[...]) }
        if let code = Self.exceptionCode(atStartOf: body[...]) { return exception(code, body[...]) }
        guard let late = lateException else { return nil }
        return exception(Self.exceptionCode(atStartOf: late) ?? 0, late)
    }

    private func exception(_ code: Int, _ text: ArraySlice<UInt8>) -> ClickHouseException {
        let message = Self.trimmed(String(decoding: text.prefix(Self.tailBytes), as: UTF8.self))
        return ClickHouseException(
            code: code, name: Self.exceptionName(in: message), message: Self.cut(message), httpStatus: status)
    }

    /// `__exception__`, a tag, the message, its length and the tag again, `__exception__`: how servers since 25.11 end
    /// an answer that they cannot finish.
    private var lateException: ArraySlice<UInt8>? {
        let marker = Array("__exception__".utf8)
        var end = body.count
        while end > 0, body[end - 1] == 10 || body[end - 1] == 13 { end -= 1 }
        guard body[..<end].suffix(marker.count).elementsEqual(marker) else { return nil }
        let text = body[max(0, end - Self.tailBytes)..<end - marker.count]
        // The message starts with its code; what stands before it (the tag, and the rows) is of no interest.
        let code = Array("Code: ".utf8)
        var start = text.endIndex - code.count
        var found = text.endIndex
        while start >= text.startIndex {
            if text[start...].starts(with: code), Self.exceptionCode(atStartOf: text[start...]) != nil { found = start }
            if text[start...].starts(with: marker) { break }
            start -= 1
        }
        return found < text.endIndex ? text[found...] : text.suffix(Self.tailBytes)
    }

    private func foreign(_ what: String) -> ClickHouseTransportFault {
        ClickHouseTransportFault(
            kind: .foreignAnswer, curlCode: 0, text: "the answer has \(what)", httpStatus: status,
            mayHaveReachedServer: true)
    }

    /// N of `Code: N. DB::` at the very start.
    static func exceptionCode(atStartOf bytes: ArraySlice<UInt8>) -> Int? {
        let start = Array("Code: ".utf8)
        guard bytes.starts(with: start) else { return nil }
        let digits = bytes.dropFirst(start.count).prefix(10).prefix { $0 >= 48 && $0 <= 57 }
        let rest = bytes.dropFirst(start.count + digits.count)
        // 18.16 writes a comma and `e.displayText() = DB::Exception`, later versions a full stop.
        guard !digits.isEmpty, rest.starts(with: ". DB::".utf8) || rest.starts(with: ", e.displayText() = DB::".utf8)
        else { return nil }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    /// `UNKNOWN_TABLE` of `… (UNKNOWN_TABLE) (version 24.8…)`: the last word in capitals between brackets.
    static func exceptionName(in message: String) -> String {
        var name = ""
        for part in message.split(separator: "(").dropFirst() {
            guard let end = part.firstIndex(of: ")") else { continue }
            let word = part[..<end]
            if !word.isEmpty, word.utf8.allSatisfy({ ($0 >= 65 && $0 <= 90) || ($0 >= 48 && $0 <= 57) || $0 == 95 }) {
                name = String(word)
            }
        }
        return name
    }

    /// `{"read_rows":"0","written_rows":"3",…}`: one flat object whose numbers are strings (bare ones are read, too).
    static func summary(_ text: String) -> [String: UInt64] {
        var values: [String: UInt64] = [:]
        for pair in text.split(whereSeparator: { $0 == "," || $0 == "{" || $0 == "}" }) {
            let sides = pair.split(separator: ":", maxSplits: 1).map { $0.filter { $0 != "\"" && $0 != " " } }
            if sides.count == 2, let number = UInt64(sides[1]) { values[sides[0]] = number }
        }
        return values
    }

    private static func cut(_ message: String) -> String {
        guard message.utf8.count > ClickHouseException.maxMessageBytes else { return message }
        var bytes = Array(message.utf8.prefix(ClickHouseException.maxMessageBytes))
        // Not in the middle of a character: drop its continuation bytes and its first.
        while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
        if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self) + "…"
    }

    private static func trimmed(_ text: String) -> String {
        var view = text[...]
        while view.last?.isWhitespace == true { view.removeLast() }
        return String(view)
    }
}
