/// Names and values as the text format 0.0.4 takes them.
enum MetricLabels {
    /// Letters, digits, underscores and colons, not a digit first; whatever else becomes an underscore.
    static func metricName(_ text: String) -> String {
        sanitised(text, extra: UInt8(ascii: ":"))
    }

    static func labelName(_ text: String) -> String {
        let name = sanitised(text, extra: nil)
        // `le` is the histogram's own, and two leading underscores are Prometheus' own.
        return name == "le" || name.hasPrefix("__") ? "exported_" + name : name
    }

    private static func sanitised(_ text: String, extra: UInt8?) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                bytes.append(byte)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
                bytes.append(byte)
            case extra:
                bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "_"))
            }
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }

    /// `a="x",b="y"`, sorted by name, so that the same labels in any order are the same series. Of two labels of one
    /// name the first counts.
    static func rendered(_ dimensions: [(String, String)]) -> String {
        var seen = Set<String>()
        let labels = dimensions.map { (labelName($0.0), $0.1) }.filter { seen.insert($0.0).inserted }
        return labels.sorted { $0.0 < $1.0 }.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
    }

    /// By scalars: CR LF is one `Character`, and its LF would end the line unescaped.
    private static func escaped(_ value: String) -> String {
        value.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    static func escapedHelp(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
