import Foundation
import RouterCore
import Testing

@Suite("Delivery under random trouble")
struct SimulationTests {
    static let runs: UInt64 = UInt64(ProcessInfo.processInfo.environment["SIMULATION_RUNS"] ?? "") ?? 500

    @Test(
        "Nothing is lost and nothing is doubled, whatever goes wrong; and when it ends all drains and no memory is held"
    )
    func exact() {
        var redone = 0
        var takenOver = 0
        var replayed = 0
        for seed in 1...Self.runs {
            var simulation = Simulation(seed: seed)
            let faults = simulation.run(milliseconds: 20_000)
            redone += simulation.redoneBatches
            takenOver += simulation.takenOver
            replayed += simulation.replayed
            #expect(faults.isEmpty, "seed \(seed): \(faults.prefix(5))")
            if !faults.isEmpty { return }
        }
        #expect(takenOver > 100, "too few lost states: \(takenOver)")
        #expect(replayed > 300, "too little was replayed: \(replayed)")
        #expect(redone > 300, "the trouble did not make enough redoing: \(redone)")
    }

    @Test("The simulation sees a protocol that is broken on purpose", arguments: Mutation.allCases)
    func mutations(_ mutation: Mutation) {
        for seed in 1...Self.runs {
            var simulation = Simulation(seed: seed, mutation: mutation)
            if !simulation.run(milliseconds: 20_000).isEmpty { return }
        }
        Issue.record("\(mutation) was not noticed in \(Self.runs) runs")
    }
}
