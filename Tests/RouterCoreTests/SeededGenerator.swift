/// SplitMix64: the same sequence from the same seed on every machine, so that a failing run can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True once in so many.
    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &self) == 0 }

    /// True so many times in a hundred.
    mutating func percent(_ percent: Double) -> Bool { Double.random(in: 0..<100, using: &self) < percent }

    mutating func upTo(_ limit: Int64) -> Int64 { Int64.random(in: 0...limit, using: &self) }

    mutating func number(_ limit: Int) -> Int { Int.random(in: 0...limit, using: &self) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }
}
