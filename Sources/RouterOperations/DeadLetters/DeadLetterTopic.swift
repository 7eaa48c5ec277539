import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore

/// The dead-letter topic as commands read it: once for the headers of all, then again for those that are wanted.
final class DeadLetterTopic {
    /// Wanted records that are nearer to each other than this are read in one go: a new start costs more.
    private static let maxGap: Int64 = 2_000
    private static let progressEvery = 10_000

    let kafka: AuditKafka
    let name: String
    let rawTopic: String
    private let scan: PartitionScan
    private let maxEventBytes: Int

    init(settings: Settings, log: Logger) throws {
        kafka = try AuditKafka(settings: settings, log: log)
        scan = try PartitionScan(properties: settings.kafkaProperties, log: log.kafkaLog)
        name = settings.kafka.deadLetterTopic
        rawTopic = settings.kafka.rawTopic
        maxEventBytes = Int(Int32.max)
    }

    /// The ranges of the topic's partitions as they are now.
    func ranges() throws -> [Int32: Range<Int64>] {
        var ranges: [Int32: Range<Int64>] = [:]
        for id in try kafka.partitionIDs(name) { ranges[id] = try kafka.range(name, id) }
        return ranges
    }

    /// - Parameters:
    ///   - settled: by raw partition, the offsets whose fate is decided: below the committed one.
    ///   - ranges: what to read; nil for all.
    func catalog(
        _ filter: DeadLetterFilter, settled: [Int32: Int64], ranges: [Int32: Range<Int64>]? = nil,
        into catalog: DeadLetterCatalog = DeadLetterCatalog(), progress: (String) -> Void
    ) throws -> DeadLetterCatalog {
        var catalog = catalog
        var headers = DeadLetterHeaders(topic: rawTopic)
        // Whatever the limit was when it came: only the client's name is asked for.
        var decoder = EventDecoder(topic: rawTopic, maxEventBytes: maxEventBytes)
        let wanted = try ranges ?? self.ranges()
        for id in wanted.keys.sorted() {
            guard let range = wanted[id] else { continue }
            try scan.read(TopicPartition(topic: name, partition: id), range) { record in
                catalog.seen.read += 1
                if catalog.seen.read % Self.progressEvery == 0 {
                    progress("reading \(name): \(catalog.seen.read.grouped) dead letters")
                }
                headers.read(record)
                Self.add(record, headers, filter, settled, &decoder, &catalog)
            }
        }
        catalog.seal()
        return catalog
    }

    private static func add(
        _ record: KafkaRecord, _ headers: DeadLetterHeaders, _ filter: DeadLetterFilter, _ settled: [Int32: Int64],
        _ decoder: inout EventDecoder, _ catalog: inout DeadLetterCatalog
    ) {
        let origin: DeadLetterOrigin
        switch headers.origin {
        case .malformed: return catalog.seen.malformed += 1
        case .otherTopic: return catalog.seen.ofOtherTopics += 1
        case .origin(let found): origin = found
        }
        // A partition that the topic does not have is no origin.
        guard let end = settled[origin.partition],
            let place = DeadLetterCatalog.Place(partition: record.partition, offset: record.offset)
        else { return catalog.seen.malformed += 1 }
        guard origin.offset < end else { return catalog.seen.inFlight += 1 }
        var isSelected = filter.matches(origin, failedAtMilliseconds: headers.failedAtMilliseconds)
        var client = headers.verifiedClient
        if isSelected {
            if client == nil, case .credentials(let named, _) = decoder.open(RecordView(deadLetter: record, headers)) {
                client = named
            }
            if !filter.clients.isEmpty { isSelected = client.map { filter.clients.contains($0) } ?? false }
        }
        if isSelected { isSelected = filter.matches(record.value) }
        catalog.add(
            DeadLetterCatalog.Letter(
                offset: origin.offset, timestampMilliseconds: origin.timestampMilliseconds,
                failedAtMilliseconds: headers.failedAtMilliseconds, place: place,
                client: catalog.number(of: client), reason: origin.reason,
                isClientVerified: headers.verifiedClient != nil, isSelected: isSelected),
            partition: origin.partition)
    }

    /// Reads the letters at these places, in their order, until `body` says that it has enough.
    ///
    /// - Parameter places: ascending.
    /// - Returns: how many of the places were passed.
    func read(_ places: ArraySlice<DeadLetterCatalog.Place>, _ body: (KafkaRecord) throws -> Bool) throws -> Int {
        struct Enough: Error {}
        var next = places.startIndex
        while next < places.endIndex {
            let first = places[next]
            var end = next
            while end + 1 < places.endIndex, places[end + 1].partition == first.partition,
                places[end + 1].offset - places[end].offset <= Self.maxGap
            {
                end += 1
            }
            let range = first.offset..<(places[end].offset + 1)
            do {
                try scan.read(TopicPartition(topic: name, partition: first.partition), range) { record in
                    // What is not there any more (retention) is passed over.
                    while next <= end, places[next].offset < record.offset { next += 1 }
                    guard next <= end, places[next].offset == record.offset else { return }
                    next += 1
                    if !(try body(record)) { throw Enough() }
                }
                next = end + 1
            } catch is Enough {
                break
            }
        }
        return next - places.startIndex
    }
}

extension RecordView {
    /// The record that the dead letter was: under its origin's coordinates and time.
    init(deadLetter record: KafkaRecord, _ headers: DeadLetterHeaders) {
        var partition: Int32 = 0
        var offset: Int64 = 0
        if case .origin(let origin) = headers.origin { (partition, offset) = (origin.partition, origin.offset) }
        self.init(
            value: record.value, partition: partition, offset: offset,
            timestampMilliseconds: headers.originTimestampMilliseconds)
        try? record.forEachHeader { take(header: $0, value: $1) }
    }
}
