/// Where a newly assigned partition starts, decided from what the broker and Postgres say of it.
public enum StartDecision: Equatable, Sendable {
    /// Nobody ever read it: the log's start.
    case earliest
    case resume(PartitionState)
    /// The log's start has moved past records that were not delivered: they are gone. `lost` are those offsets.
    case resumeAfterLoss(PartitionState, lost: [Range<Int64>])
    /// The offset was committed by another tool (no metadata of ours beside it): that is where it goes on, and what the
    /// tables hold from there on is looked for first.
    case takeOver(PartitionState, lost: [Range<Int64>])
    /// Going on would lose or double records without a word; a person decides with `router offsets accept`.
    case stop(reason: String)

    private static let advice =
        "`router offsets show` tells what is known, and `router offsets accept` lets it go on where you say"

    /// - Parameters:
    ///   - committed: offset and metadata that the group has committed; nil when it has none.
    ///   - progressOffset: the last offset that `partition_progress` remembers; nil when it has no row.
    ///   - low: the log's first offset.
    ///   - high: one past the log's last offset.
    public static func decide(
        committed: (offset: Int64, metadata: String?)?, progressOffset: Int64?, low: Int64, high: Int64
    ) -> StartDecision {
        guard let committed else {
            guard let progressOffset else { return .earliest }
            return .stop(
                reason: "the group has no committed offset, though this partition was delivered up to offset "
                    + "\(progressOffset): the group's offsets expired or were deleted, or the topic was made anew. "
                    + advice)
        }
        if committed.offset > high {
            return .stop(
                reason: "the committed offset \(committed.offset) is past the log's end \(high): "
                    + "the topic was made anew, or the broker lost records. " + advice)
        }
        let state: PartitionState
        do {
            state = try PartitionState(offset: committed.offset, metadata: committed.metadata)
        } catch {
            return .stop(reason: error.explanation + ". " + advice)
        }
        if state.end > high {
            return .stop(
                reason: "a sealed batch ends at offset \(state.end), past the log's end \(high): "
                    + "the topic was made anew, or the broker lost records. " + advice)
        }
        let lost = state.lost(below: low)
        if OffsetSituation(committed: committed, progressOffset: nil).metadata == nil {
            return .takeOver(PartitionState(offset: committed.offset, heldBelow: high), lost: lost)
        }
        return lost.isEmpty ? .resume(state) : .resumeAfterLoss(state, lost: lost)
    }
}
