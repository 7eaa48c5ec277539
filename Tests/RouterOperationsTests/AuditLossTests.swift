@testable import OffsetStore
import RouterCore
import Testing

@testable import RouterOperations

@Suite struct AuditLossTests {
    private static func noted(_ offsets: Range<Int64>, partition: Int32 = 0, at: Int64) -> OffsetRepository.Loss {
        OffsetRepository.Loss(partition: partition, offsets: offsets, atMilliseconds: at)
    }

    /// A router that starts twice before its next commit notes the same gap again, and perhaps further.
    @Test func eachOffsetIsLostOnce() {
        let losses = AuditLoss.all(
            noted: [
                Self.noted(100..<160, at: 20), Self.noted(100..<140, at: 10), Self.noted(90..<170, at: 30),
                Self.noted(100..<120, partition: 1, at: 40),
            ],
            found: [(0, 150..<180), (2, 5..<6)])
        #expect(
            losses == [
                .init(partition: 0, offsets: 90..<100, noticedAtMilliseconds: 30),
                .init(partition: 0, offsets: 100..<140, noticedAtMilliseconds: 10),
                .init(partition: 0, offsets: 140..<160, noticedAtMilliseconds: 20),
                .init(partition: 0, offsets: 160..<170, noticedAtMilliseconds: 30),
                .init(partition: 0, offsets: 170..<180, noticedAtMilliseconds: nil),
                .init(partition: 1, offsets: 100..<120, noticedAtMilliseconds: 40),
                .init(partition: 2, offsets: 5..<6, noticedAtMilliseconds: nil),
            ])
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func theirOffsetsAreTheUnion(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var wanted: Set<Int64> = []
        let noted = (0..<12).map { at in
            let lo = Int64(random.below(100))
            let hi = lo + 1 + Int64(random.below(20))
            wanted.formUnion(lo..<hi)
            return Self.noted(lo..<hi, at: Int64(at))
        }
        let found = AuditLoss.all(noted: noted, found: []).flatMap { Array($0.offsets) }
        #expect(found == wanted.sorted())
    }
}
