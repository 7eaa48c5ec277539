import Testing

@testable import RouterOperations

@Suite struct TextTableTests {
    @Test func columnsAreAsWideAsTheirWidestCell() {
        var table = TextTable([.init("NAME"), .init("EVENTS", .right)])
        table.add(["a", "1"])
        table.add(["longer", "12345678"])
        #expect(table.lines() == ["NAME      EVENTS", "a              1", "longer  12345678"])
    }

    @Test func aLongCellIsCutInItsMiddle() {
        var table = TextTable([.init("ID", maxWidth: 7)])
        table.add(["abcdefg"])
        table.add(["abcdefgh"])
        #expect(table.lines() == ["ID", "abcdefg", "abc…fgh"])
    }

    @Test func aLineFitsATerminalWhateverIsInIt() {
        let long = String(repeating: "x", count: 300)
        for columns in 1...12 {
            var table = TextTable(
                (0..<columns).map { .init("C\($0)", $0 % 3 == 2 ? .right : .left, maxWidth: 200) })
            table.add(Array(repeating: long, count: columns))
            table.add(Array(repeating: "1", count: columns))
            for line in table.lines() { #expect(line.count <= TextTable.maxWidth, "\(columns) columns") }
        }
        var table = TextTable([.init("NAME", maxWidth: 200), .init("EVENTS", .right)])
        table.add([long, "12345678"])
        #expect(table.lines()[1].hasSuffix("  12345678"), "text gives way before numbers")
    }

    @Test func wrappedTextKeepsToTheWidth() {
        let text =
            "a sentence " + String(repeating: "w", count: 250) + " that goes on and on "
            + String(repeating: "o ", count: 90)
        let lines = TextWrap.lines(text, first: "12345", indent: 5)
        for line in lines { #expect(line.count <= TextTable.maxWidth) }
        #expect(lines[0].hasPrefix("12345a sentence"))
        let words = lines.enumerated().map { $0 == 0 ? String($1.dropFirst(5)) : $1 }.joined()
        #expect(words.filter { $0 != " " } == text.filter { $0 != " " })
        #expect(TextWrap.lines("", first: "x  ", indent: 3) == ["x  "])
    }

    @Test func cellsThatAreMissingAreEmpty() {
        var table = TextTable([.init("A"), .init("B")])
        table.add(["x"])
        table.add(["x", "y", "z"])
        #expect(table.lines() == ["A  B", "x", "x  y"])
    }

    @Test func nothingInANameSteersTheTerminal() {
        var table = TextTable([.init("NAME")])
        table.add(["red \u{1B}[31m\nline\u{202E}"])
        let cell = table.lines()[1]
        #expect(!cell.unicodeScalars.contains { $0.value == 0x1B || $0.value == 0x0A || $0.value == 0x202E })
        #expect(cell.contains("\\u{1B}[31m"))
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (Int.min, "-9,223,372,036,854,775,808"),
    ])
    func digitsAreGroupedByThree(number: Int, text: String) {
        #expect(number.grouped == text)
    }
}
