import RouterCore
import Testing

@Suite("The committed state")
struct PartitionStateTests {
    static let a = UUID128(high: 0x4be1_0000_0000_0001, low: 0x7)
    static let b = UUID128(high: 0x91ac_ffff_ffff_ffff, low: .max)

    @Test("It survives the round trip, for every mix of complete and incomplete batches", arguments: 0..<64)
    func roundTrip(_ count: Int) throws {
        var state = PartitionState(offset: Int64(count) * 1_000_003)
        for index in 0..<count {
            let id = UUID128(high: UInt64(index) &* 0x9E37_79B9_7F4A_7C15, low: UInt64(index))
            state.batches.append(.init(id: id, hi: state.end + Int64(index * index) + 1, isComplete: index % 3 == 0))
        }
        #expect(try PartitionState(offset: state.offset, metadata: state.metadata) == state)
        #expect(state.metadata.utf8.count <= PartitionState.maxMetadataBytes)
    }

    @Test("Sixty-four batches of the longest length fit what Kafka keeps")
    func longest() {
        var state = PartitionState(offset: 0)
        for index in 1...DeliveryLimits().maxOutstandingBatches {
            state.batches.append(.init(id: Self.b, hi: Int64.max / 64 * Int64(index), isComplete: true))
        }
        #expect(state.metadata.utf8.count <= PartitionState.maxMetadataBytes)
    }

    @Test("Its text is the one in docs/DELIVERY.md")
    func text() {
        let state = PartitionState(
            offset: 5000,
            batches: [.init(id: Self.a, hi: 5200, isComplete: false), .init(id: Self.b, hi: 5350, isComplete: true)])
        #expect(
            state.metadata
                == "v1 4be10000000000010000000000000007:200 91acffffffffffffffffffffffffffff:150c\0")
    }

    @Test("Below which offset rows may be held already survives too, until the offset is past it")
    func heldBelow() throws {
        let batches = [PartitionState.Batch(id: Self.a, hi: 5200, isComplete: false)]
        for state in [
            PartitionState(offset: 5000, heldBelow: 9000),
            PartitionState(offset: 5000, batches: batches, heldBelow: 5001),
        ] {
            #expect(try PartitionState(offset: state.offset, metadata: state.metadata) == state)
        }
        #expect(PartitionState(offset: 5000, heldBelow: 9000).metadata == "v1 h9000\0")
        #expect(PartitionState(offset: 5000, heldBelow: 5000) == PartitionState(offset: 5000))
        #expect(try PartitionState(offset: 9000, metadata: "v1 h9000") == PartitionState(offset: 9000))
    }

    @Test("No metadata is a state without batches", arguments: [nil, "", "\0", "v1", "v1\0"])
    func empty(_ text: String?) throws {
        #expect(try PartitionState(offset: 7, metadata: text) == PartitionState(offset: 7))
    }

    @Test("Another version is not guessed at", arguments: ["v2 x", "v10", "hello", "V1", " v1"])
    func versions(_ text: String) {
        #expect(throws: PartitionStateError.self) { try PartitionState(offset: 0, metadata: text) }
    }

    @Test(
        "What does not parse stops the partition",
        arguments: [
            "v1 ", "v1  ", "v1 abc", "v1 4be10000000000010000000000000007", "v1 4be10000000000010000000000000007:",
            "v1 4be10000000000010000000000000007:0", "v1 4be10000000000010000000000000007:-5",
            "v1 4be10000000000010000000000000007:1x", "v1 4be1000000000001000000000000000:1", "v1 h", "v1 hx", "v1 h-5",
            "v1 h5 h6",
            "v1 4be10000000000010000000000000007:5 h9",
            "v1 4be10000000000010000000000000007:99999999999999999999", "v1 4be10000000000010000000000000007:1:2",
            "v1 4be10000000000010000000000000007:9223372036854775807 4be10000000000010000000000000007:1",
        ])
    func malformed(_ text: String) {
        #expect(throws: PartitionStateError.self) { try PartitionState(offset: 1, metadata: text) }
    }
}

@Suite("Where a partition starts")
struct StartDecisionTests {
    @Test("Nobody ever read it: the log's start")
    func earliest() {
        #expect(StartDecision.decide(committed: nil, progressOffset: nil, low: 5, high: 9) == .earliest)
    }

    @Test("The commit vanished though Postgres remembers: it stops, even after the very first record")
    func vanished() {
        for offset in [Int64(0), 17] {
            guard
                case .stop(let reason) = StartDecision.decide(
                    committed: nil, progressOffset: offset, low: 0, high: 20)
            else { return #expect(Bool(false), "it went on") }
            #expect(reason.contains("\(offset)"))
        }
    }

    @Test("Inside of the log it resumes, at both ends of it")
    func resumes() {
        for offset in [Int64(5), 7, 9] {
            #expect(
                StartDecision.decide(committed: (offset, "v1"), progressOffset: 3, low: 5, high: 9)
                    == .resume(PartitionState(offset: offset)))
        }
    }

    @Test("Past the log's end it stops, by the offset and by the chain")
    func pastTheEnd() {
        let chain = PartitionState(offset: 8, batches: [.init(id: UUID128(high: 1, low: 2), hi: 10, isComplete: false)])
        for committed in [(Int64(10), Optional("v1")), (8, chain.metadata)] {
            guard case .stop = StartDecision.decide(committed: committed, progressOffset: nil, low: 5, high: 9) else {
                return #expect(Bool(false), "it went on from \(committed)")
            }
        }
    }

    @Test("Below the log's start the loss is told exactly: what complete batches delivered is none")
    func loss() {
        #expect(
            StartDecision.decide(committed: (2, "v1"), progressOffset: nil, low: 5, high: 9)
                == .resumeAfterLoss(PartitionState(offset: 2), lost: [2..<5]))
        let ids = (1...3).map { UUID128(high: 0, low: UInt64($0)) }
        let chain = PartitionState(
            offset: 0,
            batches: [
                .init(id: ids[0], hi: 10, isComplete: false), .init(id: ids[1], hi: 20, isComplete: true),
                .init(id: ids[2], hi: 30, isComplete: false),
            ])
        let expected: [(low: Int64, lost: [Range<Int64>])] = [
            (0, []), (1, [0..<1]), (10, [0..<10]), (15, [0..<10]), (20, [0..<10]), (21, [0..<10, 20..<21]),
            (30, [0..<10, 20..<30]), (33, [0..<10, 20..<33]),
        ]
        for (low, lost) in expected {
            let decision = StartDecision.decide(
                committed: (0, chain.metadata), progressOffset: nil, low: low, high: 40)
            #expect(decision == (lost.isEmpty ? .resume(chain) : .resumeAfterLoss(chain, lost: lost)), "low \(low)")
        }
    }

    @Test("What another tool committed is where it goes on, and rows are looked for up to the log's end")
    func foreign() {
        for metadata in [nil, "", "\0"] {
            #expect(
                StartDecision.decide(committed: (6, metadata), progressOffset: 8, low: 5, high: 9)
                    == .takeOver(PartitionState(offset: 6, heldBelow: 9), lost: []))
        }
        #expect(
            StartDecision.decide(committed: (2, nil), progressOffset: nil, low: 5, high: 9)
                == .takeOver(PartitionState(offset: 2, heldBelow: 9), lost: [2..<5]))
        // At the end there is nothing to look for.
        #expect(
            StartDecision.decide(committed: (9, nil), progressOffset: nil, low: 5, high: 9)
                == .takeOver(PartitionState(offset: 9), lost: []))
    }

    @Test("An acceptance holds for the situation it was made for, in the log it was made for")
    func acceptance() {
        let made = OffsetSituation(committed: nil, progressOffset: 8)
        let accepted = OffsetAcceptance(
            id: 1, partition: 0, offset: 3, skippedFrom: 3, logStart: 3, logEnd: 10, situation: made, acceptedBy: "a",
            reason: "b")
        let start = accepted.start(in: made, low: 3, high: 10)
        #expect(start?.state == PartitionState(offset: 3, heldBelow: 10))
        #expect(start?.lost.isEmpty == true)
        #expect(accepted.start(in: made, low: 5, high: 12)?.lost == [3..<5])
        // Another log, another commit, another progress.
        #expect(accepted.start(in: made, low: 0, high: 9) == nil)
        #expect(accepted.start(in: OffsetSituation(committed: (3, nil), progressOffset: 8), low: 3, high: 10) == nil)
        #expect(accepted.start(in: OffsetSituation(committed: nil, progressOffset: 9), low: 3, high: 10) == nil)
        // Beside a commit the tripwire may move: it is written later than the commit it stands for.
        let beside = OffsetAcceptance(
            id: 2, partition: 0, offset: 3, skippedFrom: 3, logStart: 3, logEnd: 10,
            situation: OffsetSituation(committed: (20, "v1"), progressOffset: 8), acceptedBy: "a", reason: "b")
        let later = OffsetSituation(committed: (20, "v1"), progressOffset: 19)
        #expect(beside.start(in: later, low: 3, high: 10) != nil)
        #expect(beside.start(in: OffsetSituation(committed: nil, progressOffset: 8), low: 3, high: 10) == nil)
        // Kafka does not tell an empty string from none, and a zero byte ends ours.
        #expect(
            OffsetSituation(committed: (3, "v9 x\0y"), progressOffset: nil)
                == OffsetSituation(committed: (3, "v9 x"), progressOffset: nil))
    }

    @Test("A version that is not known stops it")
    func version() {
        guard
            case .stop(let reason) = StartDecision.decide(
                committed: (6, "v9 something"), progressOffset: nil, low: 5, high: 9)
        else { return #expect(Bool(false), "it went on") }
        #expect(reason.contains("v9"))
    }
}
