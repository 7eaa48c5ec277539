import Foundation

/// A strict reader of the text format 0.0.4, written from its description and not from the code under test: what it does
/// not understand is an error.
struct Exposition {
    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double

        var series: [String: String] { labels.merging(["": name]) { first, _ in first } }
    }

    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    var types: [String: String] = [:]
    var helps: [String: String] = [:]
    var samples: [Sample] = []

    init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Fault(description: "not UTF-8") }
        guard text.utf8.last == 0x0A else { throw Fault(description: "the last line has no end") }
        var finished = Set<String>()
        var seen = Set<[String: String]>()
        var current = ""
        for line in text.utf8.split(separator: 0x0A).map({ String($0) ?? "" }) {
            if line.hasPrefix("# ") {
                let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 4 else { throw Fault(description: line) }
                if parts[2] != current {
                    guard finished.insert(parts[2]).inserted else { throw Fault(description: "again: \(line)") }
                    current = parts[2]
                }
                switch parts[1] {
                case "HELP" where helps[parts[2]] == nil: helps[parts[2]] = parts[3]
                case "TYPE" where types[parts[2]] == nil: types[parts[2]] = parts[3]
                default: throw Fault(description: line)
                }
            } else {
                let sample = try Self.sample(line)
                guard let type = types[current], Self.belongs(sample.name, to: current, type) else {
                    throw Fault(description: "\(sample.name) is not of \(current)")
                }
                guard seen.insert(sample.series).inserted else {
                    throw Fault(description: "twice: \(line)")
                }
                samples.append(sample)
            }
        }
        try checkHistograms()
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    private static func belongs(_ name: String, to family: String, _ type: String) -> Bool {
        type == "histogram" ? [family + "_bucket", family + "_sum", family + "_count"].contains(name) : name == family
    }

    private static func sample(_ line: String) throws -> Sample {
        var rest = Array(line.unicodeScalars)[...]
        func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
            scalar.isASCII && (scalar.properties.isAlphabetic || scalar == "_")
        }
        func name(colons: Bool) throws -> String {
            var name = String.UnicodeScalarView()
            while let next = rest.first,
                isNameStart(next) || colons && next == ":" || !name.isEmpty && ("0"..."9").contains(next)
            {
                name.append(next)
                rest = rest.dropFirst()
            }
            guard !name.isEmpty else { throw Fault(description: line) }
            return String(name)
        }
        func expect(_ scalar: Unicode.Scalar) throws {
            guard rest.first == scalar else { throw Fault(description: line) }
            rest = rest.dropFirst()
        }
        let metric = try name(colons: true)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest = rest.dropFirst()
                let label = try name(colons: false)
                try expect("=")
                try expect("\"")
                var value = String.UnicodeScalarView()
                while let next = rest.first, next != "\"" {
                    rest = rest.dropFirst()
                    guard next == "\\" else {
                        value.append(next)
                        continue
                    }
                    switch rest.first {
                    case "n": value.append("\n")
                    case "\\", "\"": value.append(rest.first ?? " ")
                    default: throw Fault(description: line)
                    }
                    rest = rest.dropFirst()
                }
                try expect("\"")
                guard labels.updateValue(String(value), forKey: label) == nil else { throw Fault(description: line) }
            } while rest.first == ","
            try expect("}")
        }
        try expect(" ")
        let text = String(String.UnicodeScalarView(rest))
        let special = ["+Inf": Double.infinity, "-Inf": -.infinity, "NaN": .nan]
        guard let value = special[text] ?? strictDouble(text) else { throw Fault(description: line) }
        return Sample(name: metric, labels: labels, value: value)
    }

    private static func strictDouble(_ text: String) -> Double? {
        text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) } ? Double(text) : nil
    }

    /// Buckets do not fall, end with the infinite one, and that is the count.
    private func checkHistograms() throws {
        for (name, type) in types where type == "histogram" {
            let buckets = samples.filter { $0.name == name + "_bucket" }
            let groups = Dictionary(grouping: buckets) { sample in sample.labels.filter { $0.key != "le" } }
            guard !groups.isEmpty else { throw Fault(description: "\(name) has no buckets") }
            for (labels, group) in groups {
                let bounds = group.map { $0.labels["le"] == "+Inf" ? .infinity : Double($0.labels["le"] ?? "") ?? .nan }
                guard bounds == bounds.sorted(), bounds.last == .infinity,
                    group.map(\.value) == group.map(\.value).sorted(),
                    value(name + "_count", labels) == group.last?.value, value(name + "_sum", labels) != nil
                else { throw Fault(description: "\(name) \(labels) is not a histogram") }
            }
        }
    }
}
