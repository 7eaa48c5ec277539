/// How often something that costs the server may be done: a few times at once, then so many times a second.
struct Pace {
    let burst: Int64
    let intervalMilliseconds: Int64
    /// The moment at which the whole burst would be there again.
    private var fullAtMilliseconds: Int64 = 0

    init(burst: Int64, intervalMilliseconds: Int64) {
        self.burst = burst
        self.intervalMilliseconds = intervalMilliseconds
    }

    /// When it may be done again, on the monotonic clock.
    var dueAtMilliseconds: Int64 { fullAtMilliseconds - (burst - 1) * intervalMilliseconds }

    func isDue(nowMilliseconds: Int64) -> Bool { nowMilliseconds >= dueAtMilliseconds }

    /// It was done. What took long keeps away longer: it may fill a twentieth of the time.
    mutating func done(nowMilliseconds: Int64, tookMilliseconds: Int64 = 0) {
        let cost = max(intervalMilliseconds, tookMilliseconds * 20)
        fullAtMilliseconds = max(fullAtMilliseconds, nowMilliseconds) + cost
    }
}
