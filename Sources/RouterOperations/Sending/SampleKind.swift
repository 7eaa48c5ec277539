import RouterCore

/// What a sample event is: a good one, or one that becomes a dead letter in a certain way.
public enum SampleKind: UInt8, CaseIterable, Sendable {
    case good
    case malformedJSON, notAnObject, emptyPayload, payloadTooLarge, missingField, invalidField, timestampOutOfRange
    case unknownClient, invalidAPIKey, clientNotActive

    /// The reason that the router gives for it; nil for a good one.
    public var reason: DeadLetterReason? {
        switch self {
        case .good: nil
        case .malformedJSON: .malformedJSON
        case .notAnObject: .notAnObject
        case .emptyPayload: .emptyPayload
        case .payloadTooLarge: .payloadTooLarge
        case .missingField: .missingField
        case .invalidField: .invalidField
        case .timestampOutOfRange: .timestampOutOfRange
        case .unknownClient: .unknownClient
        case .invalidAPIKey: .invalidAPIKey
        case .clientNotActive: .clientNotActive
        }
    }

    /// As options and reports name it.
    public var name: String { reason?.rawValue ?? "good" }

    public static let bad = allCases.filter { $0 != .good }

    public init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}

/// How large a share of the events is of each bad kind.
public struct BadShares: Sendable, Equatable {
    public private(set) var shares: [SampleKind: Double] = [:]

    public init() {}

    public var total: Double { shares.values.reduce(0, +) }

    public mutating func add(_ share: Double, of kind: SampleKind) { shares[kind, default: 0] += share }

    /// The share in equal parts of these kinds.
    public mutating func spread(_ share: Double, over kinds: [SampleKind]) {
        for kind in kinds { add(share / Double(max(1, kinds.count)), of: kind) }
    }
}

/// Decides the kind of each event, so that after any number of events each kind has come as often as its share says,
/// give or take one.
struct KindSchedule {
    private var due: [(kind: SampleKind, share: Double, owed: Double)]

    init(_ shares: BadShares) {
        due = SampleKind.bad.compactMap { kind in
            guard let share = shares.shares[kind], share > 0 else { return nil }
            return (kind, share, 0)
        }
        // Kinds of the same share take turns and do not come all at once.
        for index in due.indices { due[index].owed = Double(index) / Double(due.count) }
    }

    mutating func next() -> SampleKind {
        var chosen: Int?
        for index in due.indices {
            due[index].owed += due[index].share
            if due[index].owed >= 1, chosen.map({ due[index].owed > due[$0].owed }) ?? true { chosen = index }
        }
        guard let chosen else { return .good }
        due[chosen].owed -= 1
        return due[chosen].kind
    }
}
