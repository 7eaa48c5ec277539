import RouterCore
import Testing

/// The directory's rules written down a second time, with no regard to speed: a log of everything that happened, and
/// every question answered by walking through it.
private struct NaiveDirectory {
    enum Happening {
        case found(Int, String, asOf: Int64)
        case lastKnown(Int, String, asOf: Int64)
        case absent(Int, at: Int64)
        case changed(Int)
        case changedAll
    }

    var log: [Happening] = []
    var isListening = false
    var isReachable = true

    func find(_ number: Int, _ now: Int64) -> Found {
        var entry: (name: String, asOf: Int64, isSuspect: Bool)?
        var absentAt: Int64?
        for happening in log {
            switch happening {
            case .found(number, let name, let asOf):
                entry = (name, asOf, false)
                absentAt = nil
            case .lastKnown(number, let name, let asOf):
                if entry == nil || asOf > entry?.asOf ?? .min { entry = (name, asOf, true) }
            case .absent(number, let at):
                entry = nil
                absentAt = at
            case .changed(number), .changedAll:
                entry?.isSuspect = true
                absentAt = nil
            default: break
            }
        }
        if let entry {
            let age = now - entry.asOf
            let fresh: Int64 = isListening ? 60_000 : 5_000
            if !entry.isSuspect && age <= fresh { return .known(entry.name) }
            if isReachable { return !entry.isSuspect && age <= 2 * fresh ? .stale(entry.name) : .miss }
            return age <= 600_000 ? .stale(entry.name) : .miss
        }
        if let absentAt, now - absentAt <= 1_000 { return .absent }
        return .miss
    }
}

@Suite struct ClientDirectoryModelTests {
    @Test func agreesWithTheNaiveModel() {
        for seed in 0..<60 as Range<UInt64> { compare(seed: seed) }
    }

    private func compare(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var directory = ClientDirectory()
        var model = NaiveDirectory()
        var now: Int64 = 1_000_000
        var open: Set<Int> = []
        for step in 0..<600 {
            now += [0, 1, 500, 999, 1_001, 4_999, 5_001, 30_000, 60_000, 200_000].randomElement(using: &random) ?? 0
            let number = Int.random(in: 1...4, using: &random)
            let age: Int64 = [0, 10, 5_000, 59_999, 300_000].randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<4:
                directory.record(
                    clientID(number), .found(clientEntry(number, "row\(step)"), ageMilliseconds: age),
                    nowMilliseconds: now)
                model.log.append(.found(number, "row\(step)", asOf: now - age))
                open.remove(number)
            case 4:
                directory.record(
                    clientID(number), .lastKnown(clientEntry(number, "row\(step)"), ageMilliseconds: age),
                    nowMilliseconds: now)
                model.log.append(.lastKnown(number, "row\(step)", asOf: now - age))
            case 5:
                directory.record(clientID(number), .absent, nowMilliseconds: now)
                model.log.append(.absent(number, at: now))
                open.remove(number)
            case 6:
                directory.apply(.changed(clientID(number)), nowMilliseconds: now)
                model.log.append(.changed(number))
            case 7:
                directory.apply(.changedAll, nowMilliseconds: now)
                model.log.append(.changedAll)
            case 8:
                model.isListening.toggle()
                directory.apply(.listening(model.isListening), nowMilliseconds: now)
            case 9:
                model.isReachable.toggle()
                directory.apply(.postgres(reachable: model.isReachable, ""), nowMilliseconds: now)
            default:
                let found = Found(directory.find(clientID(number), nowMilliseconds: now))
                let expected = model.find(number, now)
                #expect(found == expected, "seed \(seed), step \(step)")
                var wanted: [ClientID] = []
                switch expected {
                case .stale, .miss: if open.insert(number).inserted { wanted = [clientID(number)] }
                case .known, .absent: break
                }
                #expect(directory.takeRequests() == wanted, "seed \(seed), step \(step)")
            }
        }
    }
}
