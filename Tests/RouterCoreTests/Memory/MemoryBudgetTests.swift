import RouterCore
import Testing

@Suite struct MemoryBudgetTests {
    private let batch = UUID128(high: 1, low: 1)
    private let client = UUID128(high: 2, low: 1)
    private let other = UUID128(high: 2, low: 2)

    @Test func pausesAboveOneShareAndGoesOnBelowAnother() {
        var memory = MemoryBudget(limitBytes: 1_000)
        func update(_ bytes: Int) -> Bool { memory.update(.init(open: bytes)) }
        #expect(!update(800) && !memory.isOver)
        #expect(update(801) && memory.isOver)
        #expect(!update(501) && memory.isOver)
        #expect(update(500) && !memory.isOver)
    }

    @Test func everyHolderCounts() {
        let held = MemoryBudget.Held(open: 1, sealed: 20, deadLetters: 300, reread: 4_000)
        #expect(held.total == 4_321)
    }

    /// Over the limit a redo waits for what is on its way; with nothing on its way it is what everything waits for.
    @Test func aRedoNeverWaitsForMemoryThatNobodyWillGiveBack() {
        var memory = MemoryBudget(limitBytes: 1_000)
        _ = memory.update(.init(open: 900, sealed: 50))
        #expect(!memory.mayRedo)
        _ = memory.update(.init(open: 900, deadLetters: 50))
        #expect(!memory.mayRedo)
        _ = memory.update(.init(open: 950))
        #expect(memory.isOver && memory.mayRedo)
    }

    @Test func whatIsSealedIsGivenBackOnceWhateverBecomesOfIt() {
        var bytes = SealedBytes()
        bytes.keep(batch, deadLetterBytes: 5, blockBytes: [client: 10, other: 100])
        #expect(bytes.total == 115)
        bytes.deadLettersHandedOver(batch)
        bytes.deadLettersHandedOver(batch)
        #expect(bytes.total == 110)
        bytes.blockSettled(batch, client)
        bytes.blockSettled(batch, client)
        #expect(bytes.total == 100)
        // Redone under its id: what was there counts no more.
        bytes.keep(batch, deadLetterBytes: 1, blockBytes: [client: 2])
        #expect(bytes.total == 3)
        bytes.forget(batch)
        bytes.forget(batch)
        #expect(bytes.total == 0 && bytes.isEmpty)
    }
}
