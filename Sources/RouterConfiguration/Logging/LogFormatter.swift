import Logging

/// Turns a record into the one line that is written for it, line end included.
protocol LogFormatter: Sendable {
    func line(_ record: LogLine, at time: LogTime) -> String
}

/// `{"ts":…,"level":…,"logger":…,"message":…, fields}`: one JSON object a line, for a log store.
struct JSONLogFormatter: LogFormatter {
    private static let own: Set<String> = ["ts", "level", "logger", "message"]

    func line(_ record: LogLine, at time: LogTime) -> String {
        var json = "{"
        Self.append("ts", time.text(), to: &json)
        Self.append("level", record.level.rawValue, to: &json)
        Self.append("logger", record.logger, to: &json)
        Self.append("message", record.message, to: &json)
        // Readers differ in which of two equal names they take, so no name is written twice.
        var written = Self.own
        for field in record.fields {
            var name = field.name
            while !written.insert(name).inserted { name = "metadata." + name }
            Self.append(name, field.value, to: &json)
        }
        return json + "}\n"
    }

    private static func append(_ name: String, _ value: String, to json: inout String) {
        if json.utf8.count > 1 { json += "," }
        appendString(name, to: &json)
        json += ":"
        appendString(value, to: &json)
    }

    /// Control characters are escaped, the C1 ones too: a terminal may obey them.
    private static func appendString(_ text: String, to json: inout String) {
        json += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\n": json += "\\n"
            case "\r": json += "\\r"
            case "\t": json += "\\t"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                let hex = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: json.unicodeScalars.append(scalar)
            }
        }
        json += "\""
    }
}

/// `2026-01-31 09:05:07.042Z WARNING kafka: message  name=value`: for a person, with colours where they are seen.
struct TextLogFormatter: LogFormatter {
    var usesColours: Bool

    func line(_ record: LogLine, at time: LogTime) -> String {
        let level = record.level.rawValue.uppercased()
        let padded = level + String(repeating: " ", count: max(0, 8 - level.count))
        var line = "\(dim(time.text(separator: " "))) \(coloured(padded, record.level)) "
        line += "\(Self.visible(record.logger)): \(Self.visible(record.message))"
        for field in record.fields {
            line += "  \(dim(Self.visible(field.name) + "="))\(Self.value(field.value))"
        }
        return line + "\n"
    }

    private func coloured(_ text: String, _ level: Logger.Level) -> String {
        guard usesColours else { return text }
        return switch level {
        case .error, .critical: "\u{1B}[31m\(text)\u{1B}[0m"
        case .warning: "\u{1B}[33m\(text)\u{1B}[0m"
        case .trace, .debug: "\u{1B}[2m\(text)\u{1B}[0m"
        default: text
        }
    }

    private func dim(_ text: String) -> String {
        usesColours ? "\u{1B}[2m\(text)\u{1B}[0m" : text
    }

    private static func value(_ text: String) -> String {
        let visible = visible(text)
        guard text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return visible }
        return "\"\(visible.replacing("\"", with: "\\\""))\""
    }

    /// A record is one line, and nothing in it moves the cursor: what comes from outside may have been made to.
    private static func visible(_ text: String) -> String {
        let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if isControl(scalar) {
                result += scalar.escaped(asASCII: true)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
}
