import Foundation
import KafkaClient
import Logging
import RouterConfiguration
import RouterConnections
import RouterCore

/// Finds the dead letters of one user of one client, so that no replay makes rows of them. Dead letters that are no JSON
/// object name no user, and are not found.
struct DeadLettersOfUser {
    let settings: Settings
    let log: Logger
    let client: ClientID
    let userID: String

    /// Each is eight bytes; more than this of one user is no user.
    private static let maxDeadLetters = 5_000_000

    /// Writes their origins down. - Returns: how many origins.
    func record(in ledger: RemovalLedger, _ removal: UUID128, _ kafka: AuditKafka) throws -> Int {
        let found = try find(kafka)
        guard !found.isEmpty else { return 0 }
        return try ledger.connection.transaction { _ in
            var count = 0
            for (partition, offsets) in found.sorted(by: { $0.key < $1.key }) {
                for window in RemovedWindow.cut(ascending: offsets.sorted()) {
                    try ledger.add(
                        window, to: removal, topic: settings.kafka.rawTopic, partition: partition, what: .deadLetter)
                    count += window.runs.count
                }
            }
            return count
        }
    }

    private func find(_ kafka: AuditKafka) throws -> [Int32: [Int64]] {
        let topic = settings.kafka.deadLetterTopic
        let queries = try KafkaQueries(properties: settings.kafkaProperties, log: log.kafkaLog)
        let scan = try PartitionScan(properties: settings.kafkaProperties, log: log.kafkaLog)
        var origins = DeadLetterOriginReader(topic: settings.kafka.rawTopic)
        var reader = UserReader(topic: settings.kafka.rawTopic, client: client, userID: userID)
        var found: [Int32: [Int64]] = [:]
        var count = 0
        for id in try kafka.partitionIDs(topic) {
            let partition = TopicPartition(topic: topic, partition: id)
            let (low, high) = try queries.watermarks(partition, timeoutMilliseconds: AuditKafka.timeoutMilliseconds)
            try scan.read(partition, low..<max(low, high)) { record in
                guard reader.isOfUser(record) else { return }
                origins.begin()
                try? record.forEachHeader { origins.take(name: $0, value: $1) }
                guard case .origin(let origin) = origins.origin else { return }
                found[origin.partition, default: []].append(origin.offset)
                count += 1
                guard count <= Self.maxDeadLetters else {
                    throw OperationError(
                        "too_many_dead_letters",
                        "the user has more than \(Self.maxDeadLetters) dead letters; nothing was erased")
                }
            }
        }
        return found
    }
}

/// Says of a record whether it is an event of one user of one client.
struct UserReader: ~Copyable {
    private var decoder: EventDecoder
    private var fields = EventFields()
    private let client: ClientID
    private let userID: String

    init(topic: String, client: ClientID, userID: String) {
        decoder = EventDecoder(topic: topic, maxEventBytes: Int(Int32.max))
        self.client = client
        self.userID = userID
    }

    mutating func isOfUser(_ record: KafkaRecord) -> Bool {
        let view = OwnerReader.view(record)
        guard case .credentials(let id, _) = decoder.open(view), id == client else { return false }
        if decoder.finish(view, into: &fields) == nil { return fields.userID.elementsEqual(userID.utf8) }
        // Refused for another field, which a fix-up may mend: whose it is stands in it all the same.
        guard let value = record.value,
            let object = try? JSONSerialization.jsonObject(with: Data(value)) as? [String: Any]
        else { return false }
        switch object["user_id"] {
        case let text as String: return text == userID
        case let number as NSNumber: return number.stringValue == userID
        default: return false
        }
    }
}
