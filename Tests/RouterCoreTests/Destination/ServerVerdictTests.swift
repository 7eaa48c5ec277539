import RouterCore
import Testing

@Suite struct ServerVerdictTests {
    /// The design's lists, written down once more.
    @Test func everyCodeOfTheDesignsLists() {
        for code in [
            3, 107, 159, 164, 203, 209, 210, 242, 285, 319, 425, 999, 198, 201, 236, 243, 244, 254, 265, 279, 286, 289,
            290,
            297, 364, 384, 1000,
        ] {
            #expect(ServerVerdict(code: code) == .suspicion(slowDown: false), "\(code)")
        }
        for code in [202, 241, 252] { #expect(ServerVerdict(code: code) == .suspicion(slowDown: true), "\(code)") }
        for code in [6, 25, 26, 27, 38, 41, 53, 72, 117, 321, 349, 469] {
            #expect(ServerVerdict(code: code) == .rowFault, "\(code)")
        }
        for code in [192, 193, 194, 195, 291, 497, 516] {
            // Every insert meets them when the router's own login breaks.
            #expect(ServerVerdict(code: code) == .suspicion(slowDown: false), "\(code)")
        }
        for code in [16, 60, 81] {
            #expect(ServerVerdict(code: code) == .destinationFault, "\(code)")
        }
    }

    @Test(arguments: [0, 1, 47, 62, 115, 216, 100_000, -1, .max]) func unknownCodesRaiseSuspicion(code: Int) {
        #expect(ServerVerdict(code: code) == .suspicion(slowDown: false))
    }

    @Test func noCodeIsInTwoLists() {
        let lists = [ServerVerdict.retriableCodes, ServerVerdict.rowFaultCodes, ServerVerdict.destinationFaultCodes]
        #expect(lists.reduce(0) { $0 + $1.count } == lists.reduce(Set()) { $0.union($1) }.count)
        #expect(ServerVerdict.slowDownCodes.isSubset(of: ServerVerdict.retriableCodes))
        for code in ServerVerdict.retriableCodes {
            #expect(ServerVerdict(code: code) == .suspicion(slowDown: ServerVerdict.slowDownCodes.contains(code)))
        }
    }
}
