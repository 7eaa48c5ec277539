import RouterConfiguration

/// From when on a group that has something to do counts as one that does not move.
struct ProgressLimits: Sendable {
    /// Work that waits for less is work under way: a batch that is being filled, and its insert.
    let youngSeconds: Double
    /// How long a committed offset is watched that does not move: a batch is filled and inserted within that.
    let lookSeconds: Double

    /// `/readyz` answers 503 within this time of a stall.
    private static let leastYoungSeconds = 10.0
    /// Seal, dead letters, insert and commit of a batch, on servers that are well.
    private static let deliverySeconds = 3.0
    /// A person waits for the answer.
    private static let mostLookSeconds = 20.0

    init(batchAgeSeconds: Double) {
        youngSeconds = max(Self.leastYoungSeconds, Self.deliverySeconds + 5 * batchAgeSeconds)
        lookSeconds = min(Self.mostLookSeconds, Self.deliverySeconds + 3 * batchAgeSeconds)
    }

    init(settings: Settings) {
        self.init(batchAgeSeconds: Double(settings.batch.maxAgeMilliseconds) / 1000)
    }

    /// nil, where the age of the oldest record is not known, is not young: only movement proves that it moves.
    func isYoung(_ seconds: Double?) -> Bool {
        seconds.map { $0 < youngSeconds } ?? false
    }
}
