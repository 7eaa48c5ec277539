import Testing

@testable import RouterCore

@Suite struct ReinsertionTests {
    /// A table that refuses some rows, loses some answers and forgets nothing it was told to keep.
    private struct Table {
        var held: Set<Int32> = []
        var refused: Set<Int32> = []
        var knownTokens: Set<[Int32]> = []

        mutating func insert(_ piece: Reinsertion.Piece) -> ReinsertAnswer {
            let rows = piece.rows.rows
            if !refused.isDisjoint(with: rows) { return .rowFault(message: "a constraint") }
            #expect(held.isDisjoint(with: rows), "rows that the table holds were sent again")
            guard knownTokens.insert(rows + [Int32(-1 - piece.salt)]).inserted else { return .acknowledged }
            held.formUnion(rows)
            return .acknowledged
        }
    }

    private func run(
        _ reinsertion: inout Reinsertion, _ table: inout Table,
        answer: (ReinsertAnswer, Int) -> ReinsertAnswer = { answer, _ in answer }
    ) throws -> Int {
        var inserts = 0
        while let piece = reinsertion.next {
            inserts += 1
            let said = answer(table.insert(piece), inserts)
            try reinsertion.settled(said, held: RowSet(table.held.sorted()))
            try #require(inserts < 5_000, "it does not come to an end")
        }
        return inserts
    }

    @Test func allRowsInOneInsert() throws {
        var table = Table()
        var reinsertion = Reinsertion(rowCount: 100)
        #expect(try run(&reinsertion, &table) == 1)
        #expect(reinsertion.delivered.rows == Array(0..<100))
        #expect(reinsertion.refusals.isEmpty)
    }

    @Test func nothingToDo() {
        #expect(Reinsertion(rowCount: 0).next == nil)
    }

    @Test(arguments: [[0], [99], [3, 4, 70], Array(0..<100)])
    func refusedRowsStandAlone(_ refused: [Int32]) throws {
        var table = Table(refused: Set(refused))
        var reinsertion = Reinsertion(rowCount: 100)
        _ = try run(&reinsertion, &table)
        #expect(reinsertion.refusals.flatMap(\.rows.rows).sorted() == refused)
        #expect(reinsertion.refusals.allSatisfy { $0.rows.count == 1 && $0.refusal.reason == .destinationRejected })
        #expect(table.held == Set(0..<100).subtracting(refused))
        #expect(Set(reinsertion.delivered.rows) == table.held)
    }

    @Test func splittingEnds() throws {
        var table = Table(refused: Set(0..<64))
        var reinsertion = Reinsertion(rowCount: 64, maxSplitInserts: 10)
        let inserts = try run(&reinsertion, &table)
        #expect(inserts <= 11)
        #expect(reinsertion.refusals.flatMap(\.rows.rows).sorted() == Array(0..<64))
    }

    @Test func anAnswerThatIsLostAfterTheRowsLandedInsertsNothingAgain() throws {
        var table = Table()
        var reinsertion = Reinsertion(rowCount: 10)
        let inserts = try run(&reinsertion, &table) { _, _ in .failed(message: "the connection broke") }
        #expect(inserts == 1)
        #expect(reinsertion.delivered.count == 10)
    }

    @Test func aKnownTokenWithoutItsRowsIsGoneAround() throws {
        var table = Table(knownTokens: [Array(0..<10) + [-1]])
        var reinsertion = Reinsertion(rowCount: 10)
        #expect(try run(&reinsertion, &table) == 2)
        #expect(reinsertion.delivered.count == 10)
    }

    @Test func rowsThatNeverShowAreAnError() throws {
        var reinsertion = Reinsertion(rowCount: 1)
        #expect(throws: Reinsertion.NotVisible.self) {
            while reinsertion.next != nil { try reinsertion.settled(.acknowledged, held: RowSet([])) }
        }
    }

    @Test func aWrongDestinationIsGivenUpAtOnceAndATroubledOneInTime() throws {
        var wrong = Reinsertion(rowCount: 5)
        try wrong.settled(.destinationFault(message: "no such table"), held: RowSet([]))
        #expect(wrong.next == nil)
        #expect(wrong.refusals.map(\.refusal.reason) == [.destinationUnavailable])

        var troubled = Reinsertion(rowCount: 5)
        for _ in 1..<Reinsertion.maxFailures {
            try troubled.settled(.failed(message: "busy"), held: RowSet([2]))
            #expect(troubled.next?.rows.rows == [0, 1, 3, 4])
        }
        try troubled.settled(.failed(message: "busy"), held: RowSet([2]))
        #expect(troubled.next == nil)
        #expect(troubled.delivered.rows == [2])
        #expect(troubled.refusals.map(\.rows.rows) == [[0, 1, 3, 4]])
    }

    @Test func tokensTellSetsApart() {
        func id(_ offsets: [Int64], topic: String = "t", partition: Int32 = 0, salt: Int = 0, client: UInt64 = 1)
            -> UUID128
        {
            OriginSetToken.id(
                topic: topic, client: ClientID(high: client, low: 0), partition: partition, offsets: offsets, salt: salt
            )
        }
        #expect(id([1, 2]) == id([1, 2]))
        let others = [
            id([1]), id([2, 1]), id([1, 2, 3]), id([1, 2], topic: "u"), id([1, 2], partition: 1), id([1, 2], salt: 1),
            id([1, 2], client: 2),
        ]
        #expect(Set(others + [id([1, 2])]).count == others.count + 1)
    }

    /// Rows of a topic's former log have the same offsets and another time; without a time of its own a record has only
    /// its offset.
    @Test func aRowIsTheOriginsIfItHasItsTime() {
        let rows: [(offset: Int64, receivedAtMilliseconds: Int64)] = [(1, 70), (2, 7), (3, 7), (3, 70), (4, 7)]
        let origins = [(1, 70), (2, 70), (3, 70), (4, nil), (5, 70), (6, nil)] as [(Int64, Int64?)]
        let held = OriginReadBack.held(
            origins.map { PartitionOrigin(offset: $0, timestampMilliseconds: $1) }, rows: rows)
        #expect(held == [1, 3, 4])
    }

    @Test func databasesCannotEndThePattern() {
        #expect(OriginReadBack.pattern("client_1") == "client_1")
        #expect(OriginReadBack.pattern("a'b|c") == #"a\\x{27}b\\x{7c}c"#)
    }
}
