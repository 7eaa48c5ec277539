import RouterCore
import Testing

@testable import ClientStore

@Suite struct CacheTrustTests {
    let one = ClientID(high: 0, low: 1)
    let two = ClientID(high: 0, low: 2)

    @Test func nothingIsBelievedBeforeListeningAndOneRead() {
        var trust = CacheTrust()
        trust.learn([one], readAtMicroseconds: 10, trust.ticket)
        #expect(!trust.believes(one, readAtMicroseconds: 10), "nobody listens")
        trust.listening(true)
        #expect(!trust.believes(one, readAtMicroseconds: 1_000), "no read since listening began")
        trust.learn([two], readAtMicroseconds: 50, trust.ticket)
        #expect(!trust.believes(one, readAtMicroseconds: 49))
        #expect(trust.believes(one, readAtMicroseconds: 50))
        trust.listening(false)
        #expect(!trust.believes(one, readAtMicroseconds: 1_000))
    }

    @Test func aReadThatBeganBeforeListeningTeachesNothing() {
        var trust = CacheTrust()
        let early = trust.ticket
        trust.listening(true)
        trust.learn([one], readAtMicroseconds: 50, early)
        #expect(!trust.believes(one, readAtMicroseconds: 60))
        #expect(trust.isOutdated(one, early))
    }

    @Test func aChangeCountsForItsClientUntilItIsReadAgain() {
        var trust = CacheTrust()
        trust.listening(true)
        trust.learn([], readAtMicroseconds: 50, trust.ticket)
        let before = trust.ticket
        trust.changed(one)
        #expect(trust.isOutdated(one, before))
        #expect(!trust.isOutdated(two, before))
        #expect(!trust.isOutdated(one, trust.ticket))
        trust.learn([one], readAtMicroseconds: 70, before)
        #expect(!trust.believes(one, readAtMicroseconds: 1_000), "that read began before the change")
        trust.learn([one], readAtMicroseconds: 80, trust.ticket)
        #expect(!trust.believes(one, readAtMicroseconds: 79), "what a slow writer put back")
        #expect(trust.believes(one, readAtMicroseconds: 80))
        #expect(trust.believes(two, readAtMicroseconds: 50))
        trust.changed(one)
        #expect(!trust.believes(one, readAtMicroseconds: 1_000))
    }

    @Test func tooManyChangesCountAsAChangeOfEverything() {
        var trust = CacheTrust()
        trust.listening(true)
        trust.learn([], readAtMicroseconds: 50, trust.ticket)
        for number in 0..<CacheTrust.changeLimit { trust.changed(ClientID(high: 1, low: UInt64(number))) }
        #expect(trust.believes(one, readAtMicroseconds: 50))
        let ticket = trust.ticket
        trust.changed(two)
        #expect(!trust.believes(one, readAtMicroseconds: 1_000))
        #expect(trust.isOutdated(one, ticket) && trust.isOutdated(two, ticket))
        trust.learn([], readAtMicroseconds: 60, trust.ticket)
        #expect(trust.believes(one, readAtMicroseconds: 60) && trust.believes(two, readAtMicroseconds: 60))
    }

    /// Many routers, one Redis, one row that changes; reads, writes to Redis and notifications take their time and
    /// overtake each other. Nobody who has heard of a change may believe an entry from before it.
    @Test func noOrderOfEventsBringsBackAnOldRow() {
        for seed in 0..<300 as Range<UInt64> { runMembers(seed: seed) }
    }

    private func runMembers(seed: UInt64) {
        struct Member {
            var trust = CacheTrust()
            var isListening = false
            /// Versions announced and not heard yet.
            var inbox: [Int] = []
            var newestHeard = 0
            /// A read on its way: its ticket, Postgres' time and the version it saw.
            var reading: (ticket: CacheTrust.Ticket, at: Int64, version: Int)?
            /// Read and not yet written to Redis.
            var unwritten: [(at: Int64, version: Int)] = []
        }
        var random = Seeded(state: seed)
        var members = [Member(), Member(), Member()]
        var (version, clock) = (0, Int64(100))
        var redis: (at: Int64, version: Int)?
        for _ in 0..<400 {
            clock += Int64.random(in: 0...2, using: &random)
            let index = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                version += 1
                clock += 1
                for other in members.indices where members[other].isListening { members[other].inbox.append(version) }
            case 1:
                members[index].isListening.toggle()
                members[index].trust.listening(members[index].isListening)
                members[index].inbox = []
                // Whoever begins to listen counts as having heard of all that happened before.
                if members[index].isListening { members[index].newestHeard = version }
            case 2, 3:
                guard !members[index].inbox.isEmpty else { continue }
                members[index].newestHeard = members[index].inbox.removeFirst()
                members[index].trust.changed(one)
            case 4, 5:
                guard members[index].reading == nil else { continue }
                members[index].reading = (members[index].trust.ticket, clock, version)
            case 6:
                guard let reading = members[index].reading else { continue }
                members[index].reading = nil
                members[index].trust.learn([one], readAtMicroseconds: reading.at, reading.ticket)
                members[index].unwritten.append((reading.at, reading.version))
                if !members[index].trust.isOutdated(one, reading.ticket) {
                    #expect(!members[index].isListening || reading.version >= members[index].newestHeard)
                }
            case 7:
                guard !members[index].unwritten.isEmpty else { continue }
                let place = Int.random(in: 0..<members[index].unwritten.count, using: &random)
                redis = members[index].unwritten.remove(at: place)
            default:
                guard let entry = redis, members[index].trust.believes(one, readAtMicroseconds: entry.at) else {
                    continue
                }
                #expect(entry.version >= members[index].newestHeard, "seed \(seed)")
            }
        }
    }
}

/// SplitMix64, so that a seed means the same on every machine.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
