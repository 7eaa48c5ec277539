import ClickHouseClient
import ClickHouseNative
import ClientStore
import Foundation
import RouterConfiguration
import RouterConnections
import RouterCore

/// Copies a table's events into files, each small enough for the memory of both sides, and proves that they are all there.
///
/// A file holds a range of offsets of one partition. Its rows are counted in the table first; then ClickHouse itself reads
/// the file's bytes back, as they are on the disk, and says how many rows it found.
final class EventExporter {
    /// What a file is aimed to hold: one answer of ClickHouse, which is in memory as a whole.
    static let maxFileRows = 500_000
    static let maxFileBytes = 64 * 1024 * 1024
    /// A file may come out larger than its columns' text: numbers and ids come on top, some 150 bytes a row.
    private static let maxAnswerBytes = 512 * 1024 * 1024
    private static let timeoutMilliseconds = 300_000

    private let rows: EventRowsToRemove
    private let client: ClientRecord
    private let format: ExportFormat
    private let http: ClickHouseClient
    private var files: [ExportManifest.File] = []

    init(settings: Settings, rows: EventRowsToRemove, client: ClientRecord, format: ExportFormat) {
        self.rows = rows
        self.client = client
        self.format = format
        http = ClickHouseClient(endpoint: settings.clickHouseEndpoint, connections: 1)
    }

    func shutdown() { http.shutdown() }

    /// Writes `DIRECTORY/<client id>/`, or finds that an earlier run has written it whole.
    func export(into directory: String, _ progress: (String) -> Void) async throws -> ExportManifest.Summary {
        let folder = try ExportFolder(directory + "/" + client.id.description)
        let total = try await rows.count()
        if let manifest = folder.manifest(), manifest.rows == total, manifest.format == format.rawValue,
            manifest.clientID == client.id.description
        {
            return manifest.summary(folder.path)
        }
        try folder.clear()
        for extent in try await rows.extents() { try await export(extent, folder, total, progress) }
        let exported = files.reduce(0) { $0 + $1.rows }
        guard exported == total else {
            throw OperationError(
                "export_incomplete",
                "\(exported) of \(total) rows of \(rows.database).\(rows.table) were exported: somebody changes the table. "
                    + "Nothing was dropped; run the command again", isRetriable: true)
        }
        let manifest = try await manifest(total)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        _ = try folder.write(Array(try encoder.encode(manifest)), as: ExportManifest.fileName)
        return manifest.summary(folder.path)
    }

    private func manifest(_ total: Int) async throws -> ExportManifest {
        let times = try await rows.times()
        var statement = RowBinaryReader(
            try await rows.warehouse.ask("SHOW CREATE TABLE \(rows.quotedTable) FORMAT RowBinary"))
        return ExportManifest(
            clientID: client.id.description, clientName: client.name, databaseName: client.databaseName,
            format: format.rawValue,
            exportedAt: TimeText.rfc3339(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) ?? "",
            createTable: try statement.readString(), rows: total,
            oldestEvent: times.flatMap { TimeText.rfc3339(milliseconds: $0.lowerBound) },
            newestEvent: times.flatMap { TimeText.rfc3339(milliseconds: $0.upperBound) }, files: files)
    }

    // MARK: Files

    /// One partition, in ranges of offsets.
    private func export(
        _ extent: EventRowsToRemove.Extent, _ folder: ExportFolder, _ total: Int, _ progress: (String) -> Void
    ) async throws {
        var lo = extent.lowest
        var width = Int64(Self.maxFileRows)
        while lo <= extent.highest {
            let rest = extent.highest - lo + 1
            width = min(max(1, width), rest)
            let (count, bytes) = try await size(extent, lo..<lo + width)
            if (count > Self.maxFileRows || bytes > Self.maxFileBytes), width > 1 {
                width /= 2
                continue
            }
            if count > 0 {
                try await write(extent, lo..<lo + width, count, folder)
                progress("exported \(files.reduce(0) { $0 + $1.rows }.grouped) of \(total.grouped) rows")
            }
            lo += width
            // Ranges with few rows grow again: logs with holes, clients with few events.
            if count < Self.maxFileRows / 4, bytes < Self.maxFileBytes / 4 { width = min(width, 1 << 40) * 2 }
        }
    }

    private static let place =
        "source_topic = {topic:String} AND source_partition = {p:Int32} AND source_offset >= {lo:Int64} "
        + "AND source_offset < {hi:Int64}"

    private func parameters(_ extent: EventRowsToRemove.Extent, _ range: Range<Int64>) -> [(String, String)] {
        [
            ("topic", extent.topic), ("p", String(extent.partition)), ("lo", String(range.lowerBound)),
            ("hi", String(range.upperBound)),
        ]
    }

    private func size(
        _ extent: EventRowsToRemove.Extent, _ range: Range<Int64>
    ) async throws -> (rows: Int, bytes: Int) {
        var reader = RowBinaryReader(
            try await rows.warehouse.ask(
                """
                SELECT count(), sum(toUInt64(length(event_properties)) + length(extra_fields) + length(user_id) \
                + length(session_id) + length(event_name)) FROM \(rows.quotedTable) WHERE \(Self.place) FORMAT RowBinary
                """, parameters(extent, range)))
        return (Int(clamping: try reader.readUInt64()), Int(clamping: try reader.readUInt64()))
    }

    private func write(
        _ extent: EventRowsToRemove.Extent, _ range: Range<Int64>, _ count: Int, _ folder: ExportFolder
    ) async throws {
        let answer = try await rows.warehouse.ask(
            """
            SELECT * FROM \(rows.quotedTable) WHERE \(Self.place) ORDER BY source_offset FORMAT \(format.clickHouseName)
            """, parameters(extent, range), maxResponseBytes: Self.maxAnswerBytes)
        let number = String(files.count + 1)
        let name =
            "events_base-" + String(repeating: "0", count: max(0, 6 - number.count)) + number + "." + format.rawValue
        let digest = try folder.write(answer, as: name)
        let found = try await rowsIn(try folder.read(name))
        guard found == count else {
            throw OperationError(
                "export_incomplete",
                "\(folder.path)/\(name) holds \(found) rows, and the table \(count) of this range. Nothing was dropped; run the "
                    + "command again", isRetriable: true)
        }
        files.append(
            ExportManifest.File(
                name: name, topic: extent.topic, partition: Int(extent.partition), rows: count,
                firstOffset: range.lowerBound, lastOffset: range.upperBound - 1, bytes: answer.count, sha256: digest))
    }

    /// How many rows ClickHouse finds in a file: it reads it, and keeps nothing of it.
    private func rowsIn(_ bytes: [UInt8]) async throws -> Int {
        let request = ClickHouseRequest(
            sql: """
                INSERT INTO FUNCTION null('source_topic String, source_partition Int32, source_offset Int64') \
                FORMAT \(format.clickHouseName)
                """,
            settings: [
                ("input_format_skip_unknown_fields", "1"), ("async_insert", "0"),
                ("input_format_parquet_allow_missing_columns", "0"),
            ],
            body: .bytes(bytes), timeoutMilliseconds: Self.timeoutMilliseconds)
        switch await http.perform(request) {
        case .acknowledged(let response):
            guard let written = response.writtenRows else {
                throw OperationError(
                    "export_unverified", "ClickHouse does not say how many rows it read back from an export's file")
            }
            return Int(clamping: written)
        case .exception(let exception):
            throw OperationError("export_unreadable", "ClickHouse cannot read an export's file back: \(exception)")
        case .unknown(let fault):
            throw OperationError(
                "clickhouse_unreachable", "ClickHouse did not answer while it read an export's file back: \(fault)",
                isRetriable: true)
        }
    }
}
