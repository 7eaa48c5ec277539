import Foundation
import Testing

@testable import RouterOperations

/// What `doctor` makes of a router's own word on its partitions.
@Suite struct DoctorProgressTests {
    private func checks(_ text: String) throws -> [DoctorCheck] {
        let findings = Findings()
        let status = try JSONDecoder().decode(MemberStatus.self, from: Data(text.utf8))
        RouterCheck.progress(status, ProgressLimits(batchAgeSeconds: 1), findings)
        return findings.all
    }

    @Test func eachThingThatIsWaitedForIsAFaultWithItsAdvice() throws {
        let found = try checks(
            """
            {"stalled": true, "partitions": [
              {"partition": 4, "stalled_seconds": 30, "waiting_for": "commit"},
              {"partition": 1, "stalled_seconds": 400, "waiting_for": "clickhouse"},
              {"partition": 0, "stalled_seconds": 12, "waiting_for": "clickhouse"},
              {"partition": 2, "stalled_seconds": 3, "waiting_for": "clickhouse"},
              {"partition": 3, "stalled_seconds": 900, "waiting_for": "a person", "stopped": "the topic was made anew"}]}
            """)
        #expect(found.map(\.name) == ["router.progress", "router.progress"])
        #expect(found.allSatisfy { $0.outcome == .fault })
        #expect(
            found.map(\.detail) == [
                "partitions 0, 1 do not move for 6 min, waiting for clickhouse",
                "partition 4 does not move for 30 s, waiting for commit",
            ])
        #expect(found[0].advice?.contains("disk") == true && found[1].advice?.contains("coordinator") == true)
    }

    @Test func aPauseIsAWarning() throws {
        let found = try checks(
            #"{"partitions": [{"partition": 2, "stalled_seconds": 60, "waiting_for": "paused by an operator"}]}"#)
        #expect(found.map(\.outcome) == [.warning])
        #expect(found.first?.advice?.contains("router resume --partition 2") == true)
    }

    @Test func aRouterThatSaysNothingOfItIsNoFault() throws {
        #expect(try checks(#"{"partitions": [{"partition": 0, "lag": 5}]}"#).map(\.outcome) == [.ok])
        #expect(try checks("{}").map(\.outcome) == [.ok])
        #expect(try checks(#"{"stalled": true, "partitions": []}"#).map(\.outcome) == [.fault])
    }
}
