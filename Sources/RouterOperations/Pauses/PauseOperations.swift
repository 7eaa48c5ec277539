import ClientStore
import KafkaClient
import Logging
import PostgresClient
import RouterConfiguration
import RouterConnections
import RouterCore
import RouterDatabase

/// `router pause` and `router resume`: written down in Postgres, followed by every running router within a second.
public struct PauseOperations {
    public static let maxReasonBytes = 500

    public enum Target: Sendable {
        case client(ClientID)
        case partitions([Int32])
    }

    private let settings: Settings
    private let log: Logger
    private let connection: PostgresConnection
    private let group: String
    private let topic: String

    public init(settings: Settings, log: Logger) throws {
        self.settings = settings
        self.log = log
        connection = try PostgresConnection(settings.postgresSettings)
        group = settings.kafka.groupID
        topic = settings.kafka.rawTopic
    }

    /// - Returns: what is paused afterwards, and what of it this call changed.
    public func pause(_ target: Target, reason: String) throws -> PauseReport {
        let reason = try Self.checked(reason)
        if case .partitions(let partitions) = target { try requirePartitions(partitions) }
        var changed: [String] = []
        for (name, subject) in try subjects(target) {
            if try Pauses.pause(subject, reason: reason, by: OperatorName.current, connection) { changed.append(name) }
        }
        return try report(changed)
    }

    public func resume(_ target: Target) throws -> PauseReport {
        if case .partitions(let partitions) = target {
            // What is paused can be resumed whatever Kafka says: the topic may have been made anew with fewer partitions.
            let paused = try Pauses.read(connection, group: group, topic: topic).partitions
            try requirePartitions(partitions.filter { paused[$0] == nil })
        }
        var changed: [String] = []
        for (name, subject) in try subjects(target) {
            if try Pauses.resume(subject, by: OperatorName.current, connection) { changed.append(name) }
        }
        return try report(changed)
    }

    public func list() throws -> PauseReport { try report([]) }

    private func report(_ changed: [String]) throws -> PauseReport {
        let pauses = try Pauses.read(connection, group: group, topic: topic)
        return PauseReport(pauses, group: group, topic: topic, changed: changed)
    }

    /// Refuses a partition that the raw topic does not have, before anything is written down.
    private func requirePartitions(_ partitions: [Int32]) throws {
        guard !partitions.isEmpty else { return }
        let found = try RawTopic.existing(settings: settings, log: log)
        let known = Set(found.partitions.map(\.id))
        let unknown = Set(partitions).subtracting(known).sorted()
        guard unknown.isEmpty else {
            let names = unknown.map { "\($0)" }.joined(separator: ", ")
            let last = known.max().map { ", only 0 to \($0)" } ?? ""
            throw OperationError(
                "partition_unknown", "\(topic) has no partition \(names)\(last); nothing was changed")
        }
    }

    private func subjects(_ target: Target) throws -> [(String, PauseSubject)] {
        switch target {
        case .client(let id):
            guard try ClientRepository(connection).find(id) != nil else {
                throw OperationError(
                    "client_not_found", "there is no client with the id \(id); `router client list` shows all")
            }
            return [("client \(id)", .client(id))]
        case .partitions(let partitions):
            return Set(partitions).sorted().map {
                ("partition \($0)", .partition(group: group, topic: topic, $0))
            }
        }
    }

    static func checked(_ reason: String) throws(OperationError) -> String {
        guard reason.contains(where: { !$0.isWhitespace }), reason.utf8.count <= maxReasonBytes,
            TextTable.printable(reason) == reason
        else {
            throw OperationError(
                "reason_invalid",
                "a reason has 1 to \(maxReasonBytes) bytes, not only spaces and no control characters")
        }
        return reason
    }
}

/// What is held back now.
public struct PauseReport: Sendable, Encodable {
    public struct Entry: Sendable, Encodable {
        public var clientID: String?
        public var partition: Int32?
        public var reason: String
        public var by: String
        public var at: String

        enum CodingKeys: String, CodingKey {
            case partition, reason, by, at
            case clientID = "client_id"
        }
    }

    public var group: String
    public var topic: String
    /// Such as `partition 3`: what this command changed; without those that were so already.
    public var changed: [String]
    public var pauses: [Entry]

    init(_ pauses: Pauses, group: String, topic: String, changed: [String]) {
        self.group = group
        self.topic = topic
        self.changed = changed
        self.pauses =
            pauses.partitions.sorted { $0.key < $1.key }.map {
                Entry(partition: $0.key, reason: $0.value.reason, by: $0.value.by, at: $0.value.at)
            }
            + pauses.clients.sorted { $0.key.description < $1.key.description }.map {
                Entry(clientID: $0.key.description, reason: $0.value.reason, by: $0.value.by, at: $0.value.at)
            }
    }

    public var table: TextTable {
        var table = TextTable([
            .init("PAUSED", maxWidth: 36), .init("SINCE", maxWidth: 20), .init("BY", maxWidth: 16),
            .init("REASON", maxWidth: 22),
        ])
        for entry in pauses {
            let subject = entry.clientID ?? entry.partition.map { "partition \($0)" } ?? ""
            table.add([subject, String(entry.at.prefix(19)), entry.by, entry.reason])
        }
        return table
    }
}
