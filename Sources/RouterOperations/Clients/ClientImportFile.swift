import Foundation
import RouterCore

/// A file of clients to be added: CSV with a heading, or one JSON object a line. It is read as a whole, and every fault in
/// it is told at once.
struct ClientImportFile {
    /// One client as the file has it.
    struct Entry: Sendable {
        var line: Int
        var name: String
        var id: ClientID?
        var database: String?
        /// Of a key that the client has already; nil: it gets a new one.
        var keyHash: KeyHash?
    }

    enum Format: Sendable { case csv, jsonl }

    /// One statement of Postgres takes them all.
    static let maxClients = 10_000
    static let maxBytes = 16 * 1024 * 1024
    /// Told in one message; the rest are counted.
    static let maxShownFaults = 100

    private(set) var entries: [Entry] = []
    private(set) var faults: [(line: Int, text: String)] = []

    /// The columns, and the names that they go by besides.
    private static let columns = [
        "client_name": "client_name", "name": "client_name", "client_id": "client_id", "id": "client_id",
        "ch_database_name": "ch_database_name", "database": "ch_database_name", "api_key_hash": "api_key_hash",
    ]

    init(_ bytes: [UInt8], _ format: Format) {
        guard bytes.count <= Self.maxBytes else {
            faults.append((1, "the file has \(bytes.count) bytes; \(Self.maxBytes) are taken at once"))
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            faults.append((1, "the file is not UTF-8"))
            return
        }
        switch format {
        case .csv: readCSV(text)
        case .jsonl: readLines(text)
        }
        if entries.count > Self.maxClients {
            faults.append((1, "the file has \(entries.count) clients; \(Self.maxClients) are taken at once"))
        } else if entries.isEmpty, faults.isEmpty {
            faults.append((1, "the file holds no client"))
        }
        findRepeated()
    }

    /// Adds a fault that only others than the file know of.
    mutating func add(_ fault: String, line: Int) { faults.append((line, fault)) }

    /// All faults, as the end of a message; nil when there are none.
    var problem: String? {
        guard !faults.isEmpty else { return nil }
        let sorted = faults.sorted { $0.line < $1.line }
        let shown = sorted.prefix(Self.maxShownFaults).map { "line \($0.line): \($0.text)" }.joined(separator: "\n  ")
        let more = faults.count > Self.maxShownFaults ? "\n  … and \(faults.count - Self.maxShownFaults) more" : ""
        return "\n  " + shown + more
    }

    // MARK: Reading

    private mutating func readCSV(_ text: String) {
        let rows: [CSVReader.Row]
        do throws(CSVReader.Fault) {
            rows = try CSVReader.read(text)
        } catch {
            return faults.append((error.line, error.text))
        }
        guard let heading = rows.first else { return }
        var names: [String] = []
        for name in heading.fields {
            let known = Self.columns[name.trimmingCharacters(in: .whitespaces).lowercased()]
            if known == nil {
                faults.append((heading.line, "'\(TextTable.printable(name))' is not a column; " + Self.known))
            }
            if let known, names.contains(known) { faults.append((heading.line, "the column \(known) is there twice")) }
            names.append(known ?? "")
        }
        guard faults.isEmpty else { return }
        guard names.contains("client_name") else {
            return faults.append((heading.line, "there is no column client_name"))
        }
        for row in rows.dropFirst() {
            guard row.fields.count == names.count else {
                faults.append((row.line, "\(row.fields.count) fields under a heading of \(names.count)"))
                continue
            }
            take(Dictionary(zip(names, row.fields), uniquingKeysWith: { $1 }).filter { !$0.value.isEmpty }, row.line)
        }
    }

    private mutating func readLines(_ text: String) {
        // Characters: "\r\n" is one, and a line end.
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
        where line.contains(where: { !$0.isWhitespace }) {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
                faults.append((index + 1, "not a JSON object"))
                continue
            }
            var values: [String: String] = [:]
            var isSound = true
            for (name, value) in object.sorted(by: { $0.key < $1.key }) where !(value is NSNull) {
                guard let known = Self.columns[name] else {
                    faults.append((index + 1, "'\(TextTable.printable(name))' is not a member; " + Self.known))
                    isSound = false
                    continue
                }
                guard let text = value as? String, values[known] == nil else {
                    faults.append((index + 1, "\(known) \(value is String ? "is there twice" : "is not a string")"))
                    isSound = false
                    continue
                }
                values[known] = text
            }
            if isSound { take(values, index + 1) }
        }
    }

    private static let known = "there are client_name, client_id, ch_database_name, api_key_hash"

    private mutating func take(_ values: [String: String], _ line: Int) {
        let before = faults.count
        var entry = Entry(line: line, name: values["client_name"] ?? "")
        do throws(OperationError) { try ClientOperations.check(name: entry.name) } catch {
            faults.append((line, error.message))
        }
        if let text = values["client_id"] {
            entry.id = ClientID(text)
            if entry.id == nil { faults.append((line, "client_id is not a UUID")) }
        }
        if let text = values["ch_database_name"] {
            entry.database = text
            do throws(DatabaseNameError) { try DatabaseName.validate(text) } catch { faults.append((line, "\(error)")) }
        }
        if let text = values["api_key_hash"] {
            entry.keyHash = KeyHash(hex: text)
            if entry.keyHash == nil { faults.append((line, "api_key_hash is not 64 hex digits")) }
        }
        if faults.count == before { entries.append(entry) }
    }

    private mutating func findRepeated() {
        var ids: [ClientID: Int] = [:]
        var databases: [String: Int] = [:]
        for entry in entries {
            if let id = entry.id {
                if let first = ids[id] { faults.append((entry.line, "client_id is that of line \(first), too")) }
                ids[id] = ids[id] ?? entry.line
            }
            if let database = entry.database ?? entry.id.map({ DatabaseName.standard(for: $0) }) {
                if let first = databases[database] {
                    faults.append((entry.line, "the database \(database) is that of line \(first), too"))
                }
                databases[database] = databases[database] ?? entry.line
            }
        }
    }
}
