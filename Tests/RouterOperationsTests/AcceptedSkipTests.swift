import OffsetStore
import RouterCore
import Testing

@testable import RouterOperations

@Suite struct AcceptedSkipTests {
    private static func entry(
        _ partition: Int32, skip: Range<Int64>, taken: Bool = true
    ) -> OffsetRepository.Entry {
        OffsetRepository.Entry(
            acceptance: OffsetAcceptance(
                id: 1, partition: partition, offset: skip.upperBound, skippedFrom: skip.lowerBound, logStart: 0,
                logEnd: 1000, situation: OffsetSituation(committed: nil, progressOffset: 1), acceptedBy: "Ann",
                reason: "why"),
            acceptedAtMilliseconds: 5, takenAtMilliseconds: taken ? 6 : nil)
    }

    private static func ranges(_ entries: [OffsetRepository.Entry]) -> [Range<Int64>] {
        AcceptedSkip.all(entries).map(\.offsets)
    }

    @Test func onlyWhatARouterTookCounts() {
        #expect(Self.ranges([Self.entry(0, skip: 5..<9), Self.entry(0, skip: 20..<30, taken: false)]) == [5..<9])
    }

    @Test func nothingSkippedIsNoSkip() {
        #expect(Self.ranges([Self.entry(0, skip: 5..<5)]).isEmpty)
    }

    /// Also the case of a topic that was made anew since: the offsets below are other records.
    @Test func aLaterAcceptanceTakesBackWhatItReadsAgain() {
        #expect(Self.ranges([Self.entry(0, skip: 5..<90), Self.entry(0, skip: 40..<40)]) == [5..<40])
        #expect(Self.ranges([Self.entry(0, skip: 5..<90), Self.entry(0, skip: 0..<0)]).isEmpty)
        #expect(Self.ranges([Self.entry(0, skip: 5..<90), Self.entry(1, skip: 0..<0)]) == [5..<90])
        #expect(Self.ranges([Self.entry(0, skip: 5..<9), Self.entry(0, skip: 50..<60)]) == [5..<9, 50..<60])
    }
}
