import KafkaClient
import RouterConfiguration
import RouterCore

/// Sample events in the names of clients.
struct SampleSource: RecordSource {
    private let active: [SampleClient]
    private let inactive: [SampleClient]
    /// One list of headers for each active client, then for each that is not; empty when credentials go in the body.
    private var headers: [[KafkaHeader]] = []
    private let credentialsInHeaders: Bool
    private var schedule: KindSchedule
    private var events: SampleEvents
    private var nextInactive = 0

    /// - Parameter notes: gets what was left out.
    init(_ options: SendOptions.SampleOptions, settings: Settings, notes: inout [String]) throws {
        let all = try Self.clients(options, settings)
        active = all.filter { $0.isActive }
        inactive = try Self.inactive(options, settings, all)
        guard !active.isEmpty else {
            throw OperationError(
                "no_active_client",
                "there is no active client to send events for: router client add --name NAME, then router provision --all"
            )
        }
        schedule = KindSchedule(try Self.shares(options, hasInactive: !inactive.isEmpty, notes: &notes))
        credentialsInHeaders = options.credentialsInHeaders
        events = SampleEvents(
            clients: active.count, credentials: options.credentialsInHeaders ? .headers : .body,
            maxEventBytes: settings.limits.maxEventBytes, seed: options.seed)
        if credentialsInHeaders {
            headers = (active + inactive).map { Self.headers($0.idText, $0.keyHashText) }
        }
    }

    private static func clients(_ options: SendOptions.SampleOptions, _ settings: Settings) throws -> [SampleClient] {
        if let file = options.clientsFile { return try SampleClients.fromFile(file) }
        let all = try SampleClients.fromPostgres(settings)
        guard let wanted = options.clients else { return all }
        return try wanted.map { id in
            guard let client = all.first(where: { $0.id == id }) else {
                throw OperationError(
                    "client_not_found", "there is no client with the id \(id); `router client list` shows all")
            }
            guard client.isActive else {
                throw OperationError(
                    "client_not_active",
                    "the client \(id) is not active, so all its events would be dead letters: router provision \(id)")
            }
            return client
        }
    }

    /// Those whose events become `client_not_active`. Only asked for when there are to be such events.
    private static func inactive(
        _ options: SendOptions.SampleOptions, _ settings: Settings, _ all: [SampleClient]
    ) throws -> [SampleClient] {
        guard options.badShare > 0 || options.bad.shares[.clientNotActive] != nil else { return [] }
        // A file names active clients only, and is there for machines that do not reach Postgres.
        if options.clientsFile != nil { return [] }
        let known = options.clients == nil ? all : try SampleClients.fromPostgres(settings)
        return known.filter { !$0.isActive }
    }

    private static func shares(
        _ options: SendOptions.SampleOptions, hasInactive: Bool, notes: inout [String]
    ) throws -> BadShares {
        let advice = "make one with: router client add --name NAME (and do not provision it)"
        guard hasInactive || options.bad.shares[.clientNotActive] == nil else {
            throw OperationError(
                "no_inactive_client",
                "events of a client that is not active need one that Postgres knows and that is not active; \(advice)")
        }
        var shares = options.bad
        if options.badShare > 0 {
            let kinds = SampleKind.bad.filter { hasInactive || $0 != .clientNotActive }
            if !hasInactive {
                notes.append("no client_not_active events, as there is no such client; \(advice)")
            }
            shares.spread(options.badShare, over: kinds)
        }
        return shares
    }

    private static func headers(_ id: [UInt8], _ keyHash: [UInt8]) -> [KafkaHeader] {
        [
            KafkaHeader(name: Array("client_id".utf8), value: id),
            KafkaHeader(name: Array("api_key_hash".utf8), value: keyHash),
        ]
    }

    // MARK: RecordSource

    mutating func sendNext(to producer: SendProducer) throws -> Bool {
        let kind = schedule.next()
        let visitors = events.anyClient()
        var number = visitors
        var client = active[visitors]
        var ownHeaders = credentialsInHeaders ? headers[visitors] : []
        switch kind {
        case .unknownClient:
            client.idText = randomID()
            client.keyHashText = randomKeyHash()
        case .invalidAPIKey: client.keyHashText = randomKeyHash()
        case .clientNotActive:
            number = active.count + nextInactive
            client = inactive[nextInactive]
            nextInactive = (nextInactive + 1) % inactive.count
            if credentialsInHeaders { ownHeaders = headers[number] }
        default: break
        }
        if credentialsInHeaders, kind == .unknownClient || kind == .invalidAPIKey {
            ownHeaders = Self.headers(client.idText, client.keyHashText)
        }
        let hasValue = events.write(
            kind, client: visitors, idText: client.idText, keyHashText: client.keyHashText,
            nowMilliseconds: Sender.wallMilliseconds())
        let owner = kind == .unknownClient ? 0 : UInt64(number + 1)
        try client.idText.withUnsafeBytes { key in
            try events.text.bytes.withUnsafeBytes { value in
                try producer.send(
                    key: key, value: hasValue ? value : nil, headers: ownHeaders,
                    ticket: owner << 8 | UInt64(kind.rawValue))
            }
        }
        return true
    }

    private mutating func randomID() -> [UInt8] {
        var text = EventText()
        text.append(uuid: events.bits(), events.bits())
        return text.bytes
    }

    private mutating func randomKeyHash() -> [UInt8] {
        var text = EventText()
        for _ in 0..<4 { text.append(hex: events.bits()) }
        return text.bytes
    }

    func describe(_ acknowledged: [UInt64: Int], in report: inout SendReport) {
        let all = active + inactive
        for (ticket, count) in acknowledged {
            let kind = SampleKind(rawValue: UInt8(truncatingIfNeeded: ticket)) ?? .good
            report.byKind[kind.name, default: 0] += count
            if ticket >> 8 > 0 {
                report.byClient[all[Int(ticket >> 8) - 1].id.description, default: 0] += count
            }
        }
    }
}
