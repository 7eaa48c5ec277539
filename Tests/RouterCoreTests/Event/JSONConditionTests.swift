import Testing

@testable import RouterCore

@Suite struct JSONConditionTests {
    private func holds(_ condition: String, _ document: String) throws -> Bool {
        let bytes = Array(document.utf8)
        return try bytes.withUnsafeBytes { try JSONCondition(condition).holds($0) }
    }

    private static let document = #"""
         {"a":{"b":[10,{"c d":"x"},"y\u0041",-1.50e+1]},"n":null,"t":true,"k\u0065y":"v","twice":1,"twice":2,"s":"12","":"e"}
        """#

    @Test(arguments: [
        ("a.b[0] = 10", true), (".a.b[0]=10.0", true), ("a.b[0] == 1e1", true), ("a.b[0] = \"10\"", false),
        ("a.b[1].\"c d\" = x", true), ("a.b[2] = yA", true), (#"a.b[2] = "y\u0041""#, true), ("a.b[3] = -15", true),
        ("a.b[4] = null", true), ("a.b[9].z = null", true), ("n = null", true), ("gone = null", true),
        ("t = true", true), ("t = \"true\"", false), ("t != false", true), ("key = v", true), ("key != v", false),
        ("twice = 2", true), ("twice = 1", false), ("s = 12", false), ("s = \"12\"", true), (#""" = e"#, true),
        ("a = x", false), ("a != x", true), ("a[0] = 10", false), ("a.b.c = 1", false), ("a.b[0] = 1 0", false),
    ])
    func pathsAndValues(_ condition: String, _ expected: Bool) throws {
        #expect(try holds(condition, Self.document) == expected, "\(condition)")
    }

    @Test(arguments: ["", "{", "{\"a\":1}x", "{'a':1}", "\u{FEFF}{}", "{\"a\":01}"])
    func whatIsNoJSONFulfilsNothing(_ document: String) throws {
        #expect(try !holds("a = null", document))
        #expect(try !holds("a != 1", document))
    }

    @Test func bytesThatAreNoUTF8FulfilNothing() throws {
        let bytes: [UInt8] = Array("{\"a\":\"".utf8) + [0xFF] + Array("\"}".utf8)
        #expect(try bytes.withUnsafeBytes { try !JSONCondition("b = null").holds($0) })
    }

    @Test(arguments: [
        "", "=", "a", "a b = 1", "a. = 1", "a[x] = 1", "a[-1] = 1", "a[1 = 2", "\"a = 1", "a.\"b = 1", "a ! 1",
        "a[1]b = 2",
        String(repeating: ".a", count: 65) + " = 1",
    ])
    func whatIsNoConditionIsAnError(_ text: String) {
        #expect(throws: JSONConditionError.self) { try JSONCondition(text) }
    }

    @Test func deepDocumentsDoNotExhaustAnything() throws {
        let deep = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
        #expect(try holds("[0][0] != 1", deep))
        #expect(try !holds("[0][0] != 1", "[" + deep + "]"))
    }
}
