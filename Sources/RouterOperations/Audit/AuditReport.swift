/// The verdict and the numbers that it rests on: what `router audit --json` prints.
public struct AuditReport: Encodable, Sendable {
    public struct Partition: Encodable, Sendable {
        public var partition: Int32
        /// The log's start: what is below cannot be read any more.
        public var low: Int64
        /// The offset that the group committed; nil when it has committed none here.
        public var committed: Int64?
        /// The log's end.
        public var high: Int64
        /// Records between low and committed; all numbers below are about these.
        public var readable = 0
        public var rows = 0
        public var delivered = 0
        public var deadLettered = 0
        public var discarded = 0
        public var missing = 0
        public var duplicated = 0
        public var misplaced = 0
        public var unknown = 0
        /// Gone before they were delivered; not among the readable.
        public var lost = 0
        /// Rows that were there and were removed on purpose: with their client's database, at a user's wish, by age.
        public var dropped = 0
        public var erased = 0
        public var expired = 0

        enum CodingKeys: String, CodingKey {
            case partition, low, committed, high, readable, rows, delivered, discarded, missing, duplicated, misplaced
            case unknown, lost, dropped, erased, expired
            case deadLettered = "dead_lettered"
        }
    }

    public struct Loss: Encodable, Sendable {
        public var topic: String
        public var partition: Int32
        /// The first, and one past the last.
        public var from: Int64
        public var to: Int64
        public var count: Int
        /// RFC 3339; nil where no router has noticed it yet.
        public var noticedAt: String?

        enum CodingKeys: String, CodingKey {
            case topic, partition, from, to, count
            case noticedAt = "noticed_at"
        }
    }

    public struct Offset: Encodable, Sendable {
        public var topic: String
        public var partition: Int32
        public var offset: Int64
        /// The client that the record names, when there is such a client.
        public var clientID: String?
        /// Where a misplaced row was found.
        public var database: String?

        enum CodingKeys: String, CodingKey {
            case topic, partition, offset, database
            case clientID = "client_id"
        }
    }

    public struct Totals: Encodable, Sendable {
        public var readable = 0
        public var delivered = 0
        public var deadLettered = 0
        public var discarded = 0
        public var missing = 0
        public var duplicated = 0
        public var misplaced = 0
        /// Their client's table cannot be read, and they have no dead letter.
        public var unknown = 0
        /// Gone before they were delivered; not among the readable.
        public var lost = 0
        /// Delivered, and a dead letter besides: a row wins.
        public var deliveredAndDeadLettered = 0
        /// Offsets below the log's start.
        public var beyondRetention: Int64 = 0
        /// Neither a row nor a dead letter, and accepted by a person: not missing.
        public var accepted = 0
        /// Rows of the log that the topic had before it was made anew: they belong to no record that can be read.
        public var rowsOfFormerLog = 0
        /// Rows of offsets whose record is gone (compaction).
        public var rowsWithoutRecord = 0
        public var dropped = 0
        public var erased = 0
        public var expired = 0

        enum CodingKeys: String, CodingKey {
            case readable, delivered, discarded, missing, duplicated, misplaced, unknown, lost, accepted
            case rowsOfFormerLog = "rows_of_former_log"
            case dropped, erased, expired
            case deadLettered = "dead_lettered"
            case deliveredAndDeadLettered = "delivered_and_dead_lettered"
            case beyondRetention = "beyond_retention"
            case rowsWithoutRecord = "rows_without_record"
        }
    }

    /// Of records that name the client, whether their key was right or not.
    public struct Client: Encodable, Sendable {
        public var clientID: String
        public var clientName: String
        public var databaseName: String
        public var status: String
        public var readable = 0
        public var delivered = 0
        public var deadLettered = 0
        public var discarded = 0
        public var missing = 0
        public var duplicated = 0
        public var misplaced = 0
        public var unknown = 0
        public var dropped = 0
        public var erased = 0
        public var expired = 0

        enum CodingKeys: String, CodingKey {
            case clientID = "client_id"
            case clientName = "client_name"
            case databaseName = "ch_database_name"
            case status, readable, delivered, discarded, missing, duplicated, misplaced
            case unknown, dropped, erased, expired
            case deadLettered = "dead_lettered"
        }
    }

    /// What was seen and not judged.
    public struct Unjudged: Encodable, Sendable {
        /// At or past the committed offset.
        public var rowsInFlight = 0
        public var deadLettersInFlight = 0
        /// Below the log's start.
        public var rowsBeyondRetention = 0
        public var deadLettersBeyondRetention = 0
        /// Of partitions that the topic does not have.
        public var rowsOfUnknownPartitions = 0
        public var deadLettersRead = 0
        public var deadLettersMalformed = 0
        public var deadLettersOfOtherTopics = 0

        enum CodingKeys: String, CodingKey {
            case rowsInFlight = "rows_in_flight"
            case deadLettersInFlight = "dead_letters_in_flight"
            case rowsBeyondRetention = "rows_beyond_retention"
            case deadLettersBeyondRetention = "dead_letters_beyond_retention"
            case rowsOfUnknownPartitions = "rows_of_unknown_partitions"
            case deadLettersRead = "dead_letters_read"
            case deadLettersMalformed = "dead_letters_malformed"
            case deadLettersOfOtherTopics = "dead_letters_of_other_topics"
        }
    }

    /// True when every offset is accounted for, none twice, none in a wrong database, none lost, and every table was read.
    public var balanced: Bool
    public var topic: String
    public var deadLetterTopic: String
    public var group: String
    /// The only client that was judged; nil: all.
    public var client: String?
    public var partitions: [Partition] = []
    public var totals = Totals()
    public var unjudged = Unjudged()
    public var deadLetteredByReason: [String: Int] = [:]
    public var clients: [Client] = []
    /// The offending offsets, the first thousand of each kind; `totals` tells how many there are.
    public var missing: [Offset] = []
    public var duplicated: [Offset] = []
    public var misplaced: [Offset] = []
    /// What was gone before it was delivered. Whose it was nobody knows, so every client's audit has it.
    public var lost: [Loss] = []
    /// Clients among the judged whose table could not be read.
    public var unknownClients: [UnknownClient] = []
    /// What a person should know besides.
    public var notes: [String] = []
    public var seconds: Double = 0

    /// The same offsets as ranges, for a terminal.
    var missingRuns: [OffsetList.Run] = []
    var duplicatedRuns: [OffsetList.Run] = []

    enum CodingKeys: String, CodingKey {
        case balanced, topic, group, client, partitions, totals, unjudged, clients, missing, duplicated, misplaced
        case lost, notes, seconds
        case unknownClients = "unknown_clients"
        case deadLetterTopic = "dead_letter_topic"
        case deadLetteredByReason = "dead_lettered_by_reason"
    }
}
