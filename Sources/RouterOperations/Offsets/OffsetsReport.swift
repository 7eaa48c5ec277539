import OffsetStore
import RouterCore

/// What `router offsets show` knows of every partition of the raw topic.
public struct OffsetsReport: Encodable, Sendable {
    public struct Batches: Encodable, Sendable {
        public var sealed: Int
        public var complete: Int
        /// One past the last offset of the last batch.
        public var end: Int64
    }

    public struct Loss: Encodable, Sendable {
        public var from: Int64
        /// One past the last offset.
        public var to: Int64
        /// When a router noted it; nil for one that the next start will find.
        public var at: String?
    }

    /// A decision that waits for a router, or was taken by one.
    public struct Acceptance: Encodable, Sendable {
        public var offset: Int64
        public var acceptedBy: String
        public var acceptedAt: String?
        public var reason: String
        public var takenAt: String?

        enum CodingKeys: String, CodingKey {
            case offset, reason
            case acceptedBy = "accepted_by"
            case acceptedAt = "accepted_at"
            case takenAt = "taken_at"
        }
    }

    public enum Verdict: String, Encodable, Sendable {
        /// Goes on where it was.
        case resumes
        /// Nobody ever read it.
        case earliest
        /// Goes on where another tool has committed, and looks for rows that are there already.
        case takesOver = "takes_over"
        /// A person has to decide.
        case standsStill = "stands_still"
        /// A person has decided; the router that owns the partition takes it within seconds, or the next one that starts.
        case accepted
    }

    public struct Partition: Encodable, Sendable {
        public var partition: Int32
        public var logStart: Int64
        public var logEnd: Int64
        public var committedOffset: Int64?
        public var metadata: String?
        /// Of the metadata, where it is a router's.
        public var batches: Batches?
        /// Below it rows may be in the tables under any batch's id.
        public var heldBelow: Int64?
        /// The tripwire: the last offset of the highest completed batch.
        public var progressOffset: Int64?
        public var progressAt: String?
        public var verdict: Verdict
        /// Why it stands still.
        public var detail: String?
        /// Taken by retention before it was delivered: what the next start finds, then what routers noted.
        public var lost: [Loss] = []
        public var acceptances: [Acceptance] = []

        enum CodingKeys: String, CodingKey {
            case partition, metadata, batches, verdict, detail, lost, acceptances
            case logStart = "log_start"
            case logEnd = "log_end"
            case committedOffset = "committed_offset"
            case heldBelow = "held_below"
            case progressOffset = "progress_offset"
            case progressAt = "progress_at"
        }
    }

    public var topic: String
    public var group: String
    public var partitions: [Partition]

    /// True while some partition waits for a person.
    public var needsAttention: Bool { partitions.contains { $0.verdict == .standsStill } }
}

/// For a person, 100 columns wide at most.
extension OffsetsReport {
    public var table: TextTable {
        var table = TextTable(
            [.init("PARTITION", .right)]
                + ["LOG START", "LOG END", "COMMITTED", "DELIVERED TO"].map { .init($0, .right, maxWidth: 20) }
                + [.init("VERDICT")])
        for one in partitions {
            table.add([
                "\(one.partition)", "\(one.logStart)", "\(one.logEnd)", one.committedOffset.map { "\($0)" } ?? "-",
                one.progressOffset.map { "\($0)" } ?? "-", Self.words(one),
            ])
        }
        return table
    }

    private static func words(_ one: Partition) -> String {
        switch one.verdict {
        case .resumes: "resumes"
        case .earliest: "starts at the log's start"
        case .takesOver: "goes on where a tool committed"
        case .standsStill: "STANDS STILL"
        case .accepted: "accepted, waits for a router"
        }
    }

    /// What the table has no room for.
    public var details: [String] {
        partitions.flatMap { one -> [String] in
            var lines: [String] = []
            func add(_ text: String) { lines.append("\(topic)/\(one.partition): \(TextTable.printable(text))") }
            if let batches = one.batches, batches.sealed > 0 {
                add(
                    "\(batches.sealed) batches sealed up to offset \(batches.end), \(batches.complete) of them complete; "
                        + "the others are redone")
            }
            if let heldBelow = one.heldBelow, one.verdict == .resumes {
                add("below offset \(heldBelow) rows are looked for by their origin before they are stored")
            }
            if let detail = one.detail { add(detail) }
            for loss in one.lost {
                let when = loss.at.map { ", noted \($0)" } ?? ""
                add(
                    "\((loss.to - loss.from).grouped) offsets, \(loss.from) to \(loss.to - 1), were lost to retention before "
                        + "they were delivered" + when)
            }
            for acceptance in one.acceptances {
                let taken = acceptance.takenAt.map { "taken by a router \($0)" } ?? "not taken by a router yet"
                add(
                    "\(acceptance.acceptedBy) accepted offset \(acceptance.offset) \(acceptance.acceptedAt ?? ""), "
                        + "\(taken): \(acceptance.reason)")
            }
            return lines
        }
    }

    public var summary: String {
        let still = partitions.filter { $0.verdict == .standsStill }.count
        guard still > 0 else { return "No partition of \(topic) stands still." }
        return
            "\(still) of \(partitions.count) partitions of \(topic) stand still. To let one go on: router offsets accept "
            + "--partition P --earliest --reason TEXT"
    }
}
