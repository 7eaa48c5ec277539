import Foundation
import RouterConfiguration
import Testing

@testable import RouterOperations

/// What is well and what is not, case by case, and what a person reads.
@Suite struct StatusVerdictTests {
    private let limits = ProgressLimits(batchAgeSeconds: 1)

    private func partition(
        _ number: Int32, lag: Int64, age: Int64? = nil, passed: Int64 = 0
    ) -> StatusReport.Partition {
        .init(
            partition: number, committed: 100, high: 100 + lag, lag: lag, oldestSeconds: age, stopped: nil,
            passed: passed)
    }

    /// A router's own word, as it comes over HTTP.
    private func router(_ partitions: String, more: String = "") throws -> AskedRouter {
        let text =
            #"{"group_id": "router", "phase": "running", "version": "1"\#(more), "partitions": [\#(partitions)]}"#
        return AskedRouter(
            url: "http://router-1:8080",
            answer: .status(try JSONDecoder().decode(MemberStatus.self, from: Data(text.utf8))))
    }

    private let refused = AskedRouter(url: "http://a:1", answer: .none(error: "refused", isTimeout: false))
    private let silent = AskedRouter(url: "http://a:1", answer: .none(error: "no answer", isTimeout: true))

    private func judged(
        _ partitions: [StatusReport.Partition], _ routers: [AskedRouter], members: [Int32]? = [0, 1, 2],
        pauses: [PauseReport.Entry] = []
    ) -> StatusReport {
        var report = StatusReport(group: "router", topic: "events")
        report.servers = [.init(name: "kafka", ok: true)]
        report.members = members.map { [.init(id: "member-1", host: "/10.0.0.1", partitions: $0)] } ?? []
        report.partitions = partitions
        report.lag = partitions.reduce(0) { $0 + $1.lag }
        report.lookedSeconds = 6
        report.pauses = pauses
        StatusReader.fill(&report, routers)
        StatusVerdict.judge(&report, routers, limits)
        return report
    }

    @Test func nothingThatWaitsIsWellWhoeverAnswers() throws {
        for router in [refused, silent, try router("")] {
            #expect(judged([partition(0, lag: 0)], [router]).verdict == .well)
        }
        #expect(judged([partition(0, lag: 0)], [refused], members: nil).verdict == .well)
    }

    @Test func whatWaitsForLessThanABatchMayIsWell() {
        let report = judged([partition(0, lag: 50, age: 9)], [refused])
        #expect(report.verdict == .well)
        #expect(report.partitions[0].verdict == .young)
    }

    @Test func whatHasNoAgeHasToMove() {
        #expect(judged([partition(0, lag: 50)], [refused]).verdict == .attention)
    }

    @Test func anOldRecordThatDoesNotMoveNeedsAPerson() {
        let report = judged([partition(1, lag: 500, age: 101)], [silent])
        #expect(report.verdict == .attention)
        #expect(
            report.problems == [
                "partition 1 does not move: nothing was committed in the 6 s that were looked at, and 500 records wait, the "
                    + "oldest for 101 s. Kafka lists the member member-1 at /10.0.0.1, but no router answers at http://a:1 "
                    + "(no answer): see whether its process lives or is stopped or frozen, and restart it; where it listens "
                    + "elsewhere, name it with --url"
            ])
    }

    @Test func aProcessThatMovesOtherPartitionsLives() {
        let report = judged([partition(0, lag: 9, age: 40, passed: 5), partition(1, lag: 5, age: 40)], [refused])
        #expect(report.verdict == .attention)
        #expect(report.problems[0].contains("it moves other partitions"))
    }

    @Test func oldWorkThatMovesUnseenIsNotCalledWell() {
        let report = judged([partition(0, lag: 500, age: 101, passed: 40)], [refused])
        #expect(report.verdict == .incomplete)
        #expect(report.problems.count == 1)
        #expect(report.problems[0].hasPrefix("partition 0 moves (40 records in 6 s), but"))
        #expect(report.problems[0].contains("--url"))
    }

    @Test func oldWorkThatMovesBesideItsRouterIsWell() throws {
        let report = judged(
            [partition(0, lag: 500, age: 101, passed: 40)], [try router(#"{"partition": 0}"#)])
        #expect(report.verdict == .well)
    }

    @Test func aRouterThatHangsWhileRecordsWaitIsSaid() {
        let report = judged([partition(0, lag: 5, age: 2, passed: 3)], [silent])
        #expect(report.verdict == .incomplete)
        #expect(report.problems[0].contains("does not say how it goes"))
    }

    @Test func theRoutersWordCountsWhereNothingWasCommittedYet() throws {
        let moves = try router(#"{"partition": 0, "stalled_seconds": 2, "waiting_for": "clickhouse"}"#)
        #expect(judged([partition(0, lag: 500, age: 101)], [moves]).verdict == .well)
    }

    @Test(arguments: [
        ("memory", "ROUTER_MEMORY_LIMIT_MB"), ("clickhouse", "disk"), ("dead letters", "dead-letter topic"),
        ("client directory", "Postgres"), ("commit", "coordinator"), ("rebalance", "every member"),
        ("paused by an operator", "router resume --partition 0 --partition 2"), ("a person", "router offsets accept"),
        ("the moon", "router doctor"),
    ])
    func aStallSaysSinceWhenWaitingForWhatAndWhatToDo(_ waitingFor: String, _ advice: String) throws {
        let words = [Int32(0), 2].map {
            #"{"partition": \#($0), "stalled_seconds": 42.5, "waiting_for": "\#(waitingFor)","#
                + #" "last_moved_at": "2026-01-31T09:05:0\#($0)Z"}"#
        }
        let report = judged(
            [partition(0, lag: 500, age: 101), partition(1, lag: 0), partition(2, lag: 1, age: 3)],
            [try router(words.joined(separator: ","), more: #", "stalled": true"#)])
        #expect(report.verdict == .attention)
        #expect(report.problems.count == 1)
        #expect(
            report.problems[0].hasPrefix(
                "partitions 0, 2 do not move since 2026-01-31T09:05:00Z (42 s), waiting for \(waitingFor); "
                    + "501 records wait, the oldest for 101 s: "))
        #expect(report.problems[0].contains(advice))
        #expect(report.partitions.map(\.waitingFor) == [waitingFor, nil, waitingFor])
        let text = report.lines { text, _ in text }.joined(separator: "\n")
        #expect(text.contains("WAITING FOR") && text.contains(waitingFor))
    }

    @Test func aPauseIsSaidOnceItHoldsSomethingBack() {
        let pause = PauseReport.Entry(
            clientID: nil, partition: 1, reason: "restore", by: "ops@host", at: "2026-01-31T09:05:07.000Z")
        #expect(judged([partition(1, lag: 0)], [refused], pauses: [pause]).verdict == .well)
        let report = judged([partition(1, lag: 7, age: 300)], [refused], pauses: [pause])
        #expect(report.verdict == .attention)
        #expect(
            report.problems == [
                "partition 1 is paused since 2026-01-31T09:05:07 by ops@host (restore), and 7 records wait, the oldest for "
                    + "5 min: router resume --partition 1 ends it"
            ])
    }

    @Test func nobodyReads() throws {
        let report = judged([partition(0, lag: 5, age: 2)], [refused], members: nil)
        #expect(report.problems == ["5 records wait, the oldest for 2 s, and no router reads them: start router run"])
        let starting = judged([partition(0, lag: 5, age: 2)], [try router("")], members: nil)
        #expect(starting.verdict == .attention && starting.problems[0].contains("/readyz"))
    }

    @Test func aServerThatIsAwayLeavesItIncomplete() throws {
        var report = StatusReport(group: "router", topic: "events")
        report.servers = [.init(name: "kafka", ok: false, error: "timed_out: kafka")]
        StatusVerdict.judge(&report, [refused], limits)
        #expect(report.verdict == .incomplete && report.problems == ["kafka does not answer: timed_out: kafka"])
    }

    @Test func aCircuitIsShownWithItsHistory() throws {
        let old = #"{"client_id": "a", "detail": "client_a"}"#
        let new =
            #"{"client_id": "b", "detail": "x", "state": "half_open", "since": "2026-01-31T09:05:07Z", "opened_count": 3}"#
        let report = judged(
            [partition(0, lag: 0)], [try router("", more: #", "open_circuits": [\#(old), \#(new)]"#)])
        #expect(report.verdict == .attention)
        #expect(
            report.problems == [
                "the destination of client a refuses writes: router doctor says why",
                "the destination of client b refuses writes since 2026-01-31T09:05:07Z (half open, opened 3 times): "
                    + "router doctor says why",
            ])
        let document = try JSONSerialization.jsonObject(with: JSONEncoder().encode(report)) as? [String: Any]
        let circuits = document?["open_circuits"] as? [[String: Any]]
        #expect(circuits?.map { $0["client_id"] as? String } == ["a", "b"])
        #expect(circuits?.last?["opened_count"] as? Int == 3)
    }

    @Test func limitsFollowTheAgeOfABatch() {
        #expect(limits.youngSeconds == 10 && limits.lookSeconds == 6)
        let slow = ProgressLimits(batchAgeSeconds: 60)
        #expect(slow.youngSeconds == 303 && slow.lookSeconds == 20)
        #expect(!slow.isYoung(nil))
    }
}
