import RouterCore

/// Where a partition that stands still is to go on.
public enum AcceptedPlace: Equatable, Sendable {
    /// The log's start: nothing is skipped.
    case earliest
    /// The log's end: everything that is in the log is skipped.
    case latest
    case offset(Int64)
    /// The committed offset as it is, without the metadata beside it.
    case committed

    var text: String {
        switch self {
        case .earliest: "the log's start"
        case .latest: "the log's end"
        case .offset: "the offset given"
        case .committed: "the committed offset"
        }
    }
}

/// What `router offsets accept` is about to do: shown first, done after a yes.
public struct AcceptancePlan: Encodable, Sendable {
    public struct Step: Encodable, Sendable {
        public var partition: Int32
        public var offset: Int64
        public var logStart: Int64
        public var logEnd: Int64
        /// Offsets that are read again or for the first time: up to so many records.
        public var readCount: Int64
        /// Offsets that are not read any more; what of them was not delivered is given up.
        public var skippedFrom: Int64
        public var skippedCount: Int64
        /// Why the partition stood still.
        public var reason: String

        enum CodingKeys: String, CodingKey {
            case partition, offset, reason
            case logStart = "log_start"
            case logEnd = "log_end"
            case readCount = "read_count"
            case skippedFrom = "skipped_from"
            case skippedCount = "skipped_count"
        }
    }

    public var topic: String
    public var group: String
    public var acceptedBy: String
    public var reason: String
    public var partitions: [Step] = []

    let acceptances: [OffsetAcceptance]

    enum CodingKeys: String, CodingKey {
        case topic, group, reason, partitions
        case acceptedBy = "accepted_by"
    }

    /// What a person writes into `--reason` and `--by`: long enough for a sentence and a ticket's number.
    public static let maxTextBytes = 1_000

    init(
        topic: String, group: String, standings: [OffsetsOperations.Standing], partitions: [Int32]?,
        place: AcceptedPlace,
        name: String, reason: String
    ) throws {
        self.topic = topic
        self.group = group
        acceptedBy = try Self.checked(name, "the name of --by")
        self.reason = try Self.checked(reason, "the reason")
        var acceptances: [OffsetAcceptance] = []
        let chosen = try partitions.map { try Self.pick($0, standings, topic) } ?? standings.filter(Self.standsStill)
        guard !chosen.isEmpty else {
            throw OperationError(
                "nothing_stands_still", "no partition of \(topic) stands still: there is nothing to accept")
        }
        for standing in chosen {
            guard case .stop(let why) = standing.decision else { continue }
            let offset = try Self.offset(place, standing, topic)
            let skippedFrom = min(Self.firstUndelivered(standing), offset)
            acceptances.append(
                OffsetAcceptance(
                    id: 0, partition: standing.partition, offset: offset, skippedFrom: skippedFrom,
                    logStart: standing.low, logEnd: standing.high, situation: standing.situation, acceptedBy: name,
                    reason: reason))
            self.partitions.append(
                Step(
                    partition: standing.partition, offset: offset, logStart: standing.low, logEnd: standing.high,
                    readCount: standing.high - offset, skippedFrom: skippedFrom, skippedCount: offset - skippedFrom,
                    reason: why))
        }
        self.acceptances = acceptances
    }

    private static func standsStill(_ standing: OffsetsOperations.Standing) -> Bool {
        if case .stop = standing.decision { return true }
        return false
    }

    private static func pick(
        _ partitions: [Int32], _ standings: [OffsetsOperations.Standing], _ topic: String
    ) throws -> [OffsetsOperations.Standing] {
        try Set(partitions).sorted().map { id in
            guard let standing = standings.first(where: { $0.partition == id }) else {
                throw OperationError("partition_unknown", "\(topic) has no partition \(id)")
            }
            guard standsStill(standing) else {
                throw OperationError(
                    "partition_runs",
                    "\(topic)/\(id) does not stand still: its committed offset is good, and a router goes on from it. "
                        + "To make a partition deliver again what was lost from a table is not what this command is for"
                )
            }
            return standing
        }
    }

    private static func offset(
        _ place: AcceptedPlace, _ standing: OffsetsOperations.Standing, _ topic: String
    ) throws -> Int64 {
        let offset: Int64
        switch place {
        case .earliest: offset = standing.low
        case .latest: offset = standing.high
        case .offset(let number): offset = number
        case .committed:
            guard let committed = standing.situation.committedOffset else {
                throw OperationError(
                    "no_committed_offset",
                    "\(topic)/\(standing.partition) has no committed offset; --earliest loses nothing and doubles nothing"
                )
            }
            offset = committed
        }
        guard (standing.low...standing.high).contains(offset) else {
            throw OperationError(
                "offset_outside_log",
                "\(topic)/\(standing.partition): \(place.text), \(offset), is outside of the log, which goes from "
                    + "\(standing.low) to \(standing.high)")
        }
        return offset
    }

    /// From where on records may not have been delivered. The tripwire is no answer: below it batches may be incomplete.
    private static func firstUndelivered(_ standing: OffsetsOperations.Standing) -> Int64 {
        guard let committed = standing.situation.committedOffset, committed <= standing.high else {
            return standing.low
        }
        return max(committed, standing.low)
    }

    private static func checked(_ text: String, _ what: String) throws(OperationError) -> String {
        guard text.contains(where: { !$0.isWhitespace }), text.utf8.count <= maxTextBytes,
            TextTable.printable(text) == text
        else {
            throw OperationError(
                "text_invalid",
                "\(what) has to be there, with at most \(maxTextBytes) bytes, on one line and without control characters"
            )
        }
        return text
    }
}

/// For a person.
extension AcceptancePlan {
    public var lines: [String] {
        partitions.flatMap { step -> [String] in
            let place = "\(topic)/\(step.partition)"
            var lines = ["\(place) goes on at offset \(step.offset) (its log: \(step.logStart) to \(step.logEnd))."]
            if step.readCount > 0 {
                lines.append(
                    "  Reads the \(step.readCount.grouped) offsets \(step.offset) to \(step.logEnd - 1). Rows of them that are "
                        + "in the tables are found and not stored again;")
                lines.append("  rows that were removed from the tables since they were delivered come back.")
            }
            if step.skippedCount > 0 {
                lines.append(
                    "  Skips the \(step.skippedCount.grouped) offsets \(step.skippedFrom) to \(step.offset - 1): what of them was "
                        + "not delivered is LOST to the tables.")
            } else {
                lines.append("  Skips nothing.")
            }
            return lines
        }
    }
}
