import Testing

/// Documents in the manner of JSONTestSuite: y_ has to be accepted, n_ refused. What RFC 8259 leaves to the
/// implementation (i_) is in both lists as our contract decides it: numbers of any size and lone surrogate escapes are
/// accepted, a byte order mark and bytes that are no UTF-8 are refused.
struct JSONCase: CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]

    init(_ name: String, _ text: String) {
        self.init(name, Array(text.utf8))
    }

    init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// The bytes as a string in an array.
    static func string(_ name: String, _ content: [UInt8]) -> JSONCase {
        JSONCase(name, Array("[\"".utf8) + content + Array("\"]".utf8))
    }

    var testDescription: String { name }
}

extension JSONCase {
    static let accepted: [JSONCase] =
        acceptedStructures + acceptedNumbers + acceptedStrings + acceptedUTF8

    private static let acceptedStructures = [
        JSONCase("y_object_empty", "{}"),
        JSONCase("y_object_empty_with_space", "{ \t\r\n}"),
        JSONCase("y_object_simple", #"{"a":[]}"#),
        JSONCase("y_object_empty_key", #"{"":0}"#),
        JSONCase("y_object_duplicated_key", #"{"a":"b","a":"c"}"#),
        JSONCase("y_object_duplicated_key_and_value", #"{"a":"b","a":"b"}"#),
        JSONCase("y_object_escaped_null_in_key", #"{"foo\u0000bar":42}"#),
        JSONCase("y_object_with_newlines", "{\n\"a\": \"b\"\n}"),
        JSONCase("y_object_extreme_numbers", #"{"min":-1.0e+28,"max":1.0e+28}"#),
        JSONCase("y_object_nested", #"{"a":{"b":{"c":[{"d":null}]}}}"#),
        JSONCase("y_object_all_kinds", #"{"a":1,"b":"x","c":true,"d":false,"e":null,"f":[],"g":{}}"#),
        JSONCase("y_object_space_everywhere", " { \"a\" : 1 , \"b\" : [ 1 , { } , [ ] ] } "),
        JSONCase("y_array_empty", "[]"),
        JSONCase("y_array_empty_with_space", "[ ]"),
        JSONCase("y_array_empty_string", #"[""]"#),
        JSONCase("y_array_false", "[false]"),
        JSONCase("y_array_null", "[null]"),
        JSONCase("y_array_true", "[true]"),
        JSONCase("y_array_heterogeneous", #"[null,1,"1",{}]"#),
        JSONCase("y_array_arrays_with_spaces", "[[] ]"),
        JSONCase("y_array_ends_with_newline", "[\"a\"]\n"),
        JSONCase("y_array_several_null", "[1,null,null,null,2]"),
        JSONCase("y_array_with_leading_space", " [1]"),
        JSONCase("y_array_with_trailing_space", "[2] "),
        JSONCase("y_array_nested_siblings", "[[1],[2,[3]],{\"a\":[4]},[[[]]]]"),
        JSONCase("y_structure_lonely_false", "false"),
        JSONCase("y_structure_lonely_int", "42"),
        JSONCase("y_structure_lonely_negative_real", "-0.1"),
        JSONCase("y_structure_lonely_null", "null"),
        JSONCase("y_structure_lonely_string", "\"asd\""),
        JSONCase("y_structure_lonely_true", "true"),
        JSONCase("y_structure_string_empty", "\"\""),
        JSONCase("y_structure_whitespace_around", "\r\n\t 1 \t\r\n"),
    ]

    private static let acceptedNumbers = [
        "0", "-0", "1", "-1", "10", "123", "-123", "0.1", "-0.1", "0.0", "-0.0", "1.5", "0e1", "0e+1", "0E-1", "1e2",
        "1E2",
        "1e+2", "1E+22", "1e-2", "1E-2", "123e65", "123.456e78", "123.456789", "1.000000000000000005", "20e1",
        "-123123123123123123123123123123", "100000000000000000000", "18446744073709551616", "-9223372036854775809",
        "1e400", "-1e9999", "1e-400", "0.4e00669999999999999999999999999999999999999999999999999999999999999999",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
        "123456789012345678901234567890123456789012345678901234567890.5E-10",
    ].map { JSONCase("y_number_\($0)", "[\($0)]") }

    private static let acceptedStrings = [
        #"\u0060\u012a\u12AB"#, #"\ud801\udc37"#, #"\uD834\uDD1E\uD834\uDD1E"#, #"\"\\\/\b\f\n\r\t"#, #"\\u0000"#,
        #"\""#, #"a/*b*/c/*d//e"#, #"\\a"#, #"\\n"#, #"\u0012"#, #"\uFFFF"#, #"\uDBFF\uDFFE"#, #"\uFDD0"#, #"\uFFFE"#,
        #"new\u00A0line"#, #"\u0000"#, #"\u002c"#, #"\u0123"#, #"\u0821"#, #"\u2028\u2029"#, #"\u200B"#, #"\u2064"#,
        #"\u0061\u30af\u30EA\u30b9"#, #"\uA66D"#, #"\u005C"#, #"\u0022"#, #"asd "#, " ", "\u{7F}", "a\u{7F}a",
        // i_ in JSONTestSuite: half of a pair is grammatical.
        #"\uD800"#, #"\uDADA"#, #"\uD888\u1234"#, #"\uD800\n"#, #"\uDd1ea"#, #"\uD800\uD800\n"#, #"\ud800abc"#,
        #"\uDFAA"#, #"\uDd1e\uD834"#, #"\uD800x\uDC00"#,
        "1234567", "12345678", "123456789", "1234567890123456", #"1234567\n"#, #"12345678\n"#, #"123456\\"#,
        #"1234567\\"#,
    ].enumerated().map { JSONCase.string("y_string_\($0.offset)", Array($0.element.utf8)) }

    /// First and last of every row of RFC 3629's table, and characters of all lengths beside each other.
    private static let acceptedUTF8 = [
        "\u{80}", "\u{7FF}", "\u{800}", "\u{FFF}", "\u{1000}", "\u{CFFF}", "\u{D000}", "\u{D7FF}", "\u{E000}",
        "\u{FFFD}",
        "\u{FFFE}", "\u{FFFF}", "\u{10000}", "\u{3FFFF}", "\u{40000}", "\u{FFFFF}", "\u{100000}", "\u{10FFFF}",
        "\u{FEFF}",
        "\u{2028}", "\u{2029}", "€𝄞", "a€b𝄞c", "π", "⍂㈴⍂", "ünïcödé", "éééééééé", "日本語のテキスト", "👩‍👩‍👧‍👦",
    ].enumerated().map { JSONCase.string("y_utf8_\($0.offset)", Array($0.element.utf8)) }
}

extension JSONCase {
    static let refused: [JSONCase] =
        refusedStructures + refusedNumbers + refusedStrings + refusedUTF8

    private static let refusedStructures = [
        "[1 true]", "[a", "[\"\": 1]", "[\"\"],", "[,1]", "[1,,2]", "[\"x\",,]", "[\"x\"]]", "[\"\",]", "[\"x\"", "[x",
        "[3[4]]",
        "[1:2]", "[,]", "[-]", "[   , \"\"]", "[\"a\",\n4\n,1,", "[1,]", "[1,,]", "[\"\u{0B}a\"\\f]", "[*]", "[\"\"",
        "[1,",
        "[1,\n1\n,1", "[{}", "[1}", "[1)", "[fals]", "[nul]", "[tru]", "[truth]", "[True]", "[NULL]", "[Null]",
        "[nulll]",
        "[\"x\", truth]", "{[: \"x\"}\n", "{\"x\", null}", "{\"x\"::\"b\"}", "{\"a\":\"a\" 123}", "{key: 'value'}",
        "{'a':0}", "{\"a\" b}", "{:\"b\"}", "{\"a\" \"b\"}", "{\"a\":", "{\"a\"", "{1:1}", "{9999E9999:1}",
        "{null:null,null:null}", "{\"id\":0,,,,,}", "{\"id\":0,}", "{\"a\":\"b\",,\"c\":\"d\"}", "{a: \"b\"}",
        "{\"a\":\"a",
        "{ \"foo\" : \"bar\", \"a\" }", "{\"a\":\"b\"}#", "{\"a\":\"b\"}/**/", "{\"a\":\"b\"}//", "{\"a\":/*c*/\"b\"}",
        "{\"a\": true} \"x\"", "{\"a\":1]", "{]", "[}", "{,}", "{", "[", "]", "}", ":", ",", "{}}", "{{}}", "[][]",
        "{}{}", "1 2",
        "<.>", "[<null>]", "[1]x", "[\"asd]", "aå", "[True]", "1]", "{\"x\": true,", "[][1]", "[", "\u{2060}",
        "[\u{2060}]", "[\u{0C}]",
        "[\u{A0}1]", "\u{0B}{}", "{}\u{0}", "{}\u{3000}", "{\"a\":1,\"b\"}", "{\"a\":1 \"b\":2}", "*", "{\"\":}",
        "{\"a\":,}", "[\u{1A}]",
        "nan", "undefined", "{\"a\":{}", "{\"a\":[}", "[[[]]", "t", "tr", "n", "f", "fals", "truee", "nulls",
        "{\"a\":tru}", "--",
        "'a'", "`a`", "{\"a\":`b`}", "\"", "\"a", "{\"", "{\"a", "[1\u{85}]", "// c\n{}", "# c\n{}", "{}\u{1E}",
        "\u{1E}{}",
    ].enumerated().map { JSONCase("n_structure_\($0.offset)", $0.element) }

    private static let refusedNumbers = [
        "-01", "01", "00", "012", "-012", "-2.", "2.", "0.e1", "2.e3", "2.e+3", "2.e-3", ".5", "-.5", ".-1", ".2e-3",
        "0.1.2", "0.3e+",
        "0.3e", "0E", "0E+", "0e", "0e+", "1.0e+", "1.0e-", "1.0e", "1 000.0", "1eE2", "9.e+", "Inf", "-Inf",
        "Infinity", "-Infinity",
        "NaN", "-NaN", "+1", "++1234", "+Inf", "-1.0.", "1+2", "0x1", "0x42", "-0x42", "- 1", "-foo", "-a", "1a",
        "1.2a-3", "1.8011670033376514H-308",
        "1.2a", "-1x", "\u{FF11}", "1\u{FF11}", "1e1.5", "1e+-2", "--1", "1-", "1_000", "1,0.", "0b1", "0o7", "1e٣",
        "-", "-e1", "e1", "1ee1", "1.e1",
        "123\u{0}", "0 1", "1e 5", "1. 5", "1 .5",
    ].map { JSONCase("n_number_\($0)", "[\($0)]") }

    private static let refusedStrings =
        [
            #"\uD800\"#, #"\uD800\u"#, #"\uD800\u1"#, #"\uD800\u1x"#, #"\x00"#, #"\\\"#, #"\🌀"#, #"\"#, #"\u00A"#,
            #"\uD834\uDd"#,
            #"\uD800\uD800\x"#, #"\a"#, #"\uqqqq"#, #"\u"#, #"\u1"#, #"\u12"#, #"\u123"#, #"\u123g"#, #"\u 123"#,
            #"\u+123"#, #"\U0041"#, #"\N"#, #"\'"#,
            #"\0"#, #"\u{41}"#, #"\ "#, "a\u{0}a", "new\nline", "\t", "\u{1F}", "\u{01}", "1234567\u{1F}",
            "12345678\u{1F}", "a\rb", #"\v"#, #"\e"#, #"\u00\u0041"#,
            #"\uD83D\uDE0"#, "\\\n", "\\\u{0}", #"\u００４１"#,
        ].enumerated().map { JSONCase.string("n_string_\($0.offset)", Array($0.element.utf8)) } + [
            JSONCase("n_string_single_quote", "['single quote']"),
            JSONCase("n_string_no_quotes", "[abc]"),
            JSONCase("n_string_escape_outside", "[\\n]"),
            JSONCase("n_string_unicode_outside", #"[\u0020"asd"]"#),
            JSONCase("n_string_single_doublequote", "\""),
            JSONCase("n_string_with_trailing_garbage", "\"\"x"),
            JSONCase("n_string_unterminated_at_backslash", "\"a\\"),
            JSONCase("n_string_unterminated_after_escape", "\"a\\\""),
        ]

    private static let refusedUTF8: [JSONCase] =
        ([
            // Continuation bytes without a lead, leads without continuation.
            [0x80], [0xBF], [0xC2], [0xC2, 0x20], [0xC2, 0xC2], [0xE0, 0xA0], [0xE1, 0x80], [0xE1, 0x80, 0x20],
            [0xF1, 0x80, 0x80],
            [0xF1, 0x80, 0x80, 0x20], [0xE1], [0xF1], [0xF1, 0x80], [0xC2, 0x80, 0x80], [0xE1, 0x80, 0xC0],
            [0xF1, 0x80, 0xC0, 0x80],
            // Overlong forms: of NUL, of '/', the last of each length.
            [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF], [0xF0, 0x80, 0x80, 0xAF],
            [0xF0, 0x8F, 0xBF, 0xBF],
            [0xE0, 0x80, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xC0], [0xC1],
            // Surrogates, and beyond the last code point.
            [0xED, 0xA0, 0x80], [0xED, 0xAF, 0xBF], [0xED, 0xB0, 0x80], [0xED, 0xBF, 0xBF],
            [0xED, 0xA0, 0xB5, 0xED, 0xB4, 0x9E],
            [0xF4, 0x90, 0x80, 0x80], [0xF4, 0xBF, 0xBF, 0xBF], [0xF5, 0x80, 0x80, 0x80], [0xF7, 0xBF, 0xBF, 0xBF],
            // Bytes that no UTF-8 holds, among them the leads of the old forms of five and six bytes.
            [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0xFE], [0xFF], [0xFE, 0xFF], [0x81],
            [0xE9],
            Array("1234567".utf8) + [0xFF], Array("12345678".utf8) + [0xFF], Array("é".utf8) + [0xFF],
            Array("日".utf8) + [0x80],
        ] as [[UInt8]]).enumerated().map { JSONCase.string("n_utf8_\($0.offset)", $0.element) } + [
            JSONCase("n_utf8_bom", [0xEF, 0xBB, 0xBF] + Array("{}".utf8)),
            JSONCase("n_utf8_bom_alone", [0xEF, 0xBB, 0xBF]),
            JSONCase("n_utf8_bom_incomplete", [0xEF, 0xBB] + Array("{}".utf8)),
            JSONCase("n_utf8_bom_after_space", [0x20, 0xEF, 0xBB, 0xBF] + Array("{}".utf8)),
            JSONCase("n_utf8_bom_at_end", Array("{}".utf8) + [0xEF, 0xBB, 0xBF]),
            JSONCase("n_utf16le", [0x7B, 0x00, 0x7D, 0x00]),
            JSONCase("n_utf16be", [0x00, 0x7B, 0x00, 0x7D]),
            JSONCase("n_utf16le_bom", [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00]),
            JSONCase("n_utf32be_bom", [0x00, 0x00, 0xFE, 0xFF, 0x00, 0x00, 0x00, 0x7B]),
            JSONCase("n_utf8_outside_string", [0x5B, 0xE9, 0x5D]),
            JSONCase("n_utf8_in_key", [0x7B, 0x22, 0xB9, 0x22, 0x3A, 0x30, 0x7D]),
            JSONCase("n_utf8_cut_at_the_end", [0x22, 0xE6, 0x97]),
        ]
}
