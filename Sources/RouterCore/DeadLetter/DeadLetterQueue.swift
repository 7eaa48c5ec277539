/// Dead letters on their way to Kafka, and whether a whole group of them is acknowledged. A plain value; whoever
/// produces tells it how it went. No letter is ever given up: a refusal is tried again, one for its size with less of it.
public struct DeadLetterQueue<Group: Hashable & Sendable>: Sendable {
    public struct Item: Sendable {
        public var letter: DeadLetter
        public var form = DeadLetterForm.whole
        fileprivate var group: UInt64
    }

    public enum Answer: Sendable {
        case accepted
        /// By the topic, or by the producer before it.
        case tooLarge
        case failed
    }

    public enum Outcome: Sendable {
        case settled(DeadLetter)
        /// It goes again at once, with less of its record.
        case smaller(Item)
        /// It goes again after a pause.
        case again(Item)
    }

    /// Long enough that a broker in trouble is not flooded, short enough to notice that it is well.
    static var retryMilliseconds: Int64 { 500 }

    private var groups: [UInt64: (group: Group, left: Int, isOpen: Bool)] = [:]
    private var numbers: [Group: UInt64] = [:]
    private var waiting: [Item] = []
    private var waitingHead = 0
    private var underWay: [UInt64: Item] = [:]
    private var retries: [(atMilliseconds: Int64, item: Item)] = []
    private var complete: [Group] = []
    private var lastTicket: UInt64 = 0
    /// What the letters occupy.
    public private(set) var bytes = 0

    public init() {}

    public var isIdle: Bool { groups.isEmpty && complete.isEmpty }
    /// True while some were refused and wait to be tried again.
    public var isFailing: Bool { !retries.isEmpty }

    /// - Parameter isLast: false where more letters of the group follow.
    public mutating func send(_ letters: [DeadLetter], as group: Group, isLast: Bool = true) {
        let number = numbers[group] ?? begin(group)
        groups[number]!.left += letters.count
        groups[number]!.isOpen = !isLast
        for letter in letters {
            waiting.append(Item(letter: letter, group: number))
            bytes += letter.bodyBytes
        }
        closeIfComplete(number)
    }

    /// Nobody waits for the group any more; letters of it that were handed over are sent all the same.
    public mutating func abandon(_ group: Group) {
        guard let number = numbers.removeValue(forKey: group) else { return }
        groups[number] = nil
    }

    /// The next letter to be produced, with the ticket that its answer has to carry.
    public mutating func next(nowMilliseconds: Int64) -> (ticket: UInt64, item: Item)? {
        if retries.contains(where: { $0.atMilliseconds <= nowMilliseconds }) {
            waiting += retries.filter { $0.atMilliseconds <= nowMilliseconds }.map(\.item)
            retries.removeAll { $0.atMilliseconds <= nowMilliseconds }
        }
        guard waitingHead < waiting.count else { return nil }
        let item = waiting[waitingHead]
        waitingHead += 1
        if waitingHead == waiting.count || waitingHead > 4096 {
            waiting.removeFirst(waitingHead)
            waitingHead = 0
        }
        lastTicket += 1
        underWay[lastTicket] = item
        return (lastTicket, item)
    }

    /// The producer has no room now: the letter stays first in line.
    public mutating func putBack(_ ticket: UInt64) {
        guard let item = underWay.removeValue(forKey: ticket) else { return }
        waiting.insert(item, at: waitingHead)
    }

    public mutating func answered(_ ticket: UInt64, _ answer: Answer, nowMilliseconds: Int64) -> Outcome? {
        guard var item = underWay.removeValue(forKey: ticket) else { return nil }
        switch answer {
        case .accepted:
            bytes -= item.letter.bodyBytes
            groups[item.group]?.left -= 1
            closeIfComplete(item.group)
            return .settled(item.letter)
        case .tooLarge:
            guard let smaller = item.letter.smallerForm(than: item.form) else { fallthrough }
            item.form = smaller
            waiting.append(item)
            return .smaller(item)
        case .failed:
            retries.append((nowMilliseconds + Self.retryMilliseconds, item))
            return .again(item)
        }
    }

    /// The groups whose every letter is acknowledged since it was asked last.
    public mutating func takeComplete() -> [Group] {
        defer { complete = [] }
        return complete
    }

    public var nextDeadlineMilliseconds: Int64? { retries.map(\.atMilliseconds).min() }

    private mutating func begin(_ group: Group) -> UInt64 {
        lastTicket += 1
        groups[lastTicket] = (group, 0, true)
        numbers[group] = lastTicket
        return lastTicket
    }

    private mutating func closeIfComplete(_ number: UInt64) {
        guard let group = groups[number], group.left == 0, !group.isOpen else { return }
        groups[number] = nil
        numbers[group.group] = nil
        complete.append(group.group)
    }
}
