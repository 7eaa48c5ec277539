import OffsetStore
import RouterCore

/// Offsets whose records were gone before they were delivered: there is nothing to be judged, and nothing balances them.
struct AuditLoss: Equatable, Sendable {
    var partition: Int32
    var offsets: Range<Int64>
    /// When a router noticed; nil where none has run since.
    var noticedAtMilliseconds: Int64?

    /// Each offset once, under whoever noticed it first: what is noted again before the next commit reaches further.
    ///
    /// - Parameters:
    ///   - noted: what routers wrote down, whatever they met the gap at.
    ///   - found: what is gone now and nobody has noted.
    static func all(
        noted: [OffsetRepository.Loss], found: [(partition: Int32, offsets: Range<Int64>)]
    ) -> [AuditLoss] {
        let inOrder =
            noted.sorted { $0.atMilliseconds < $1.atMilliseconds }.map {
                AuditLoss(
                    partition: $0.partition, offsets: $0.offsets, noticedAtMilliseconds: $0.atMilliseconds)
            } + found.map { AuditLoss(partition: $0.partition, offsets: $0.offsets, noticedAtMilliseconds: nil) }
        var losses: [AuditLoss] = []
        for one in inOrder {
            var rest = [one.offsets]
            for known in losses where known.partition == one.partition {
                rest = rest.flatMap { without(known.offsets, $0) }
            }
            losses += rest.map {
                AuditLoss(partition: one.partition, offsets: $0, noticedAtMilliseconds: one.noticedAtMilliseconds)
            }
        }
        return losses.sorted { ($0.partition, $0.offsets.lowerBound) < ($1.partition, $1.offsets.lowerBound) }
    }

    private static func without(_ known: Range<Int64>, _ range: Range<Int64>) -> [Range<Int64>] {
        guard known.overlaps(range) else { return [range] }
        return [
            range.lowerBound..<max(range.lowerBound, known.lowerBound),
            min(range.upperBound, known.upperBound)..<range.upperBound,
        ].filter { !$0.isEmpty }
    }

    func document(topic: String) -> AuditReport.Loss {
        AuditReport.Loss(
            topic: topic, partition: partition, from: offsets.lowerBound, to: offsets.upperBound, count: offsets.count,
            noticedAt: noticedAtMilliseconds.flatMap { TimeText.rfc3339(milliseconds: $0) })
    }
}
