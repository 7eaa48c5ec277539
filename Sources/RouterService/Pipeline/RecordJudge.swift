import KafkaClient
import RouterCore

/// Steps 2 to 4 of a record's way: decoded, its client judged, appended to its client's block or to the dead letters.
struct RecordJudge: ~Copyable {
    private var decoder: EventDecoder
    var directory = ClientDirectory()
    /// Clients that an operator holds back, and the dead letter's words for it.
    var pausedClients: [ClientID: String] = [:]
    private let topic: String
    private let maxEventBytes: Int
    private var fields = EventFields()

    init(topic: String, maxEventBytes: Int) {
        decoder = EventDecoder(topic: topic, maxEventBytes: maxEventBytes)
        self.topic = topic
        self.maxEventBytes = maxEventBytes
    }

    /// - Returns: false when the client is not known yet: the record has to be shown again after the directory heard of it.
    mutating func judge(_ record: KafkaRecord, into batch: BatchAssembly, monotonic: Int64, wall: Int64) -> Bool {
        let view = Self.view(record)
        switch decoder.open(view) {
        case .refused(let refusal):
            batch.append(Self.deadLetter(record, topic, refusal, client: nil))
        case .credentials(let client, let keyHash):
            switch directory.judge(client, keyHash: keyHash, nowMilliseconds: monotonic, wallMilliseconds: wall) {
            case .wait:
                return false
            case .refused(let refusal):
                // Only a client whose key was right is named: anyone can write an id.
                let verified = refusal.reason == .clientNotActive ? client : nil
                batch.append(Self.deadLetter(record, topic, refusal, client: verified))
            case .accepted(let entry):
                if let refusal = decoder.finish(view, into: &fields) {
                    batch.append(Self.deadLetter(record, topic, refusal, client: client))
                } else if !pausedClients.isEmpty, let words = pausedClients[client] {
                    let refusal = Refusal(.destinationUnavailable, words)
                    batch.append(Self.deadLetter(record, topic, refusal, client: client))
                } else {
                    batch.append(
                        fields, client: entry, receivedAtMilliseconds: record.timestampMilliseconds ?? wall,
                        offset: record.offset)
                }
            }
        }
        return true
    }

    /// Asks for the record's client ahead of its turn, so that many unknown clients are one question.
    mutating func foresee(_ record: KafkaRecord, monotonic: Int64) {
        if case .credentials(let client, _) = decoder.open(Self.view(record)) {
            _ = directory.find(client, nowMilliseconds: monotonic)
        }
    }

    static func view(_ record: KafkaRecord) -> RecordView {
        var view = RecordView(
            value: record.value, partition: record.partition, offset: record.offset,
            timestampMilliseconds: record.timestampMilliseconds)
        // A header block that cannot be parsed counts as none: then the body has to carry the credentials.
        try? record.forEachHeader { view.take(header: $0, value: $1) }
        return view
    }

    static func deadLetter(_ record: KafkaRecord, _ topic: String, _ refusal: Refusal, client: ClientID?) -> DeadLetter
    {
        let headers = (try? record.copiedHeaders()) ?? []
        return DeadLetter(
            key: record.key.map { Array($0) }, value: record.value.map { Array($0) },
            headers: headers.map { RecordHeader(name: $0.name, value: $0.value) },
            origin: RecordOrigin(
                topic: topic, partition: record.partition, offset: record.offset,
                timestampMilliseconds: record.timestampMilliseconds),
            refusal: refusal, verifiedClient: client)
    }
}
