/// How long to leave a server alone after it failed: doubled each time, with a random half so that many routers do
/// not come back at the same moment.
struct Backoff {
    static let firstMilliseconds: Int64 = 100
    /// Short: a server that is back should be seen within about two seconds.
    static let limitMilliseconds: Int64 = 2_000

    private var failures = 0
    /// The monotonic clock counts from the machine's start, so 0 is in the past.
    private var retryAtMilliseconds: Int64 = 0

    /// When the next try is due, on the monotonic clock; 0 when nothing has failed.
    var dueAtMilliseconds: Int64 { retryAtMilliseconds }

    func isDue(nowMilliseconds: Int64) -> Bool { nowMilliseconds >= retryAtMilliseconds }

    mutating func failed(nowMilliseconds: Int64) {
        let full = min(Self.firstMilliseconds << min(failures, 10), Self.limitMilliseconds)
        failures += 1
        retryAtMilliseconds = nowMilliseconds + full / 2 + Int64.random(in: 0...(full / 2))
    }

    mutating func succeeded() {
        self = Backoff()
    }
}
