import Testing

@testable import RouterOperations

@Suite struct CSVReaderTests {
    @Test func quotesCommasAndLineEnds() throws {
        let rows = try CSVReader.read("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\n\n,\nlast")
        #expect(rows.map(\.fields) == [["a", "b"], ["x, \"y\"", "two\nlines"], ["", ""], ["last"]])
        #expect(rows.map(\.line) == [1, 2, 5, 6])
        #expect(try CSVReader.read("").isEmpty)
        #expect(try CSVReader.read("\u{FEFF}a\n").map(\.fields) == [["a"]])
    }

    @Test(arguments: [("a\n\"b", 2), ("a\"b", 1), ("\"a\"b", 1), ("x\n\n\"a\nb\"c", 4)])
    func whatIsNoCSVIsNamedByItsLine(text: String, line: Int) {
        #expect { try CSVReader.read(text) } throws: { ($0 as? CSVReader.Fault)?.line == line }
    }
}

@Suite struct ClientImportFileTests {
    private func lines(_ file: ClientImportFile) -> [Int] { file.faults.map(\.line).sorted() }

    @Test func bothFormatsReadTheSame() {
        let csv = ClientImportFile(Array("client_name,database\nA,db_a\n\"B \"\"b\"\"\",\n".utf8), .csv)
        let jsonl = ClientImportFile(
            Array(
                "{\"name\":\"A\",\"ch_database_name\":\"db_a\"}\r\n\n{\"client_name\":\"B \\\"b\\\"\",\"id\":null}\n"
                    .utf8),
            .jsonl)
        for file in [csv, jsonl] {
            #expect(file.problem == nil)
            #expect(file.entries.map(\.name) == ["A", "B \"b\""])
            #expect(file.entries.map(\.database) == ["db_a", nil])
        }
    }

    @Test func aLineMayHaveSeveralFaults() {
        let file = ClientImportFile(Array("client_name,client_id,api_key_hash\n,x,y\n".utf8), .csv)
        #expect(lines(file) == [2, 2, 2])
        #expect(file.problem?.contains("line 2: client_id is not a UUID") == true)
    }

    @Test func theSameDatabaseUnderTwoNamesIsFound() {
        let id = "0b5f2c1e-0000-4000-8000-000000000001"
        let standard = "client_" + id.replacing("-", with: "_")
        let file = ClientImportFile(
            Array("name,id,database\nA,\(id),\nB,,\(standard)\n".utf8), .csv)
        #expect(lines(file) == [3])
    }

    @Test func limitsAreTold() {
        let many = "name\n" + String(repeating: "x\n", count: ClientImportFile.maxClients + 1)
        #expect(ClientImportFile(Array(many.utf8), .csv).problem?.contains("10000 are taken") == true)
        let exact = "name\n" + String(repeating: "x\n", count: ClientImportFile.maxClients)
        #expect(ClientImportFile(Array(exact.utf8), .csv).problem == nil)
        let long = [UInt8](repeating: 32, count: ClientImportFile.maxBytes + 1)
        #expect(ClientImportFile(long, .jsonl).problem?.contains("are taken at once") == true)
        #expect(ClientImportFile([0xFF], .csv).problem?.contains("UTF-8") == true)
        #expect(ClientImportFile([], .csv).problem?.contains("no client") == true)
        let faults = "name\n" + String(repeating: "\" \"\n", count: 150)
        #expect(ClientImportFile(Array(faults.utf8), .csv).problem?.contains("and 50 more") == true)
    }
}
