import Testing

@testable import RouterOperations

@Suite struct ReplayReportTests {
    private static func report() -> ReplayReport {
        ReplayReport(topic: "raw", deadLetterTopic: "dead", dryRun: false)
    }

    @Test func whatFailedAlikeIsSaidOnce() {
        var report = Self.report()
        report.addFailure(0, 1, "missing_field", "no event_name")
        for offset in 0..<1500 as Range<Int64> { report.addFailure(2, offset, "destination_unavailable", "no table") }
        report.addFailure(0, 2, "missing_field", "no event_name")
        #expect(
            report.failureGroups == [
                .init(reason: "destination_unavailable", detail: "no table", count: 1500, places: ["2/0", "2/1"]),
                .init(reason: "missing_field", detail: "no event_name", count: 2, places: ["0/1", "0/2"]),
            ])
        #expect(
            report.remarks == [
                "1,500 dead letters, 2/0, 2/1 and 1,498 more: destination_unavailable: no table",
                "2 dead letters, 0/1, 0/2: missing_field: no event_name",
            ])
        #expect(report.failures.count == ReplayReport.maxFailures && report.failed == 1502)
    }

    /// Messages may name the record: what is not listed is counted.
    @Test func differentMessagesAreBounded() {
        var report = Self.report()
        for offset in 0..<500 as Range<Int64> { report.addFailure(0, offset, "jq_failed", "at \(offset)") }
        #expect(report.failureGroups.count == ReplayReport.maxFailureGroups)
        #expect(report.remarks.first == "0/0: jq_failed: at 0")
        #expect(report.remarks.last == "… and 490 more that failed")
    }

    @Test func aPersonIsNeededWhereSomethingFailedOrIsUnknown() {
        var report = Self.report()
        #expect(!report.needsPerson)
        report.addFailure(0, 1, "missing_field", "")
        #expect(report.needsPerson)
        report.dryRun = true
        #expect(!report.needsPerson)
        report.unknownClients = [UnknownClient(clientID: nil, databaseName: "d", error: "e")]
        #expect(report.needsPerson)
    }
}
