import StrictJSON
import Testing

@Suite struct JSONReaderTests {
    private func error(_ text: String) -> String? { error(Array(text.utf8)) }

    private func error(_ bytes: [UInt8], limits: JSONReader.Limits = .init()) -> String? {
        do throws(JSONError) {
            _ = try JSONReader.read(bytes, limits: limits)
            return nil
        } catch { return error.description }
    }

    @Test func readsEveryKindOfValue() throws {
        let value = try JSONReader.read(#" {"a":[1,-2,2.5,true,false,null,"x"],"b":{},"c":[]} "#)
        #expect(value == ["a": [1, -2, 2.5, true, false, nil, "x"], "b": [:], "c": []])
        #expect(value["a"]?.array?.count == 7)
        #expect(value["a"]?.array?[0].int == 1)
        #expect(value["a"]?.array?[2].double == 2.5)
        #expect(value["a"]?.array?[3].bool == true)
        #expect(value["a"]?.array?[6].string == "x")
        #expect(value["none"] == nil)
        #expect(value.object?.keys.map(\.string) == ["a", "b", "c"])
    }

    @Test func integersAreExact() throws {
        #expect(try JSONReader.read("9223372036854775807") == .integer(.max))
        #expect(try JSONReader.read("-9223372036854775808") == .integer(.min))
        #expect(try JSONReader.read("9223372036854775808") == .unsigned(1 << 63))
        #expect(try JSONReader.read("18446744073709551615") == .unsigned(.max))
        #expect(try JSONReader.read("18446744073709551616").uint64 == nil)
        #expect(try JSONReader.read("18446744073709551616").double == 18446744073709551616)
        #expect(try JSONReader.read("-9223372036854775809").double == -9223372036854775808)
        #expect(try JSONReader.read("-0").int == nil)
        #expect(try JSONReader.read("-0").double?.sign == .minus)
        #expect(try JSONReader.read("1.0").int == nil)
        #expect(try JSONReader.read("0") == 0)
    }

    @Test func numbersKeepTheirText() throws {
        let value = try JSONReader.read("1.50e+01")
        #expect(value.double == 15)
        #expect(value.text() == "1.50e+01")
        #expect(try JSONReader.read("1e-400").double == 0)
    }

    @Test func stringsAndEscapes() throws {
        #expect(try JSONReader.read(#""a\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z""#).string == "a\"\\/\u{8}\u{c}\n\r\tAé€😀z")
        #expect(try JSONReader.read("\"é€😀\u{10FFFF}\"").string == "é€😀\u{10FFFF}")
        #expect(try JSONReader.read(#""\u0000""#).jsonString?.bytes == [0])
    }

    @Test func keysAreComparedAsBytes() throws {
        // Two spellings of é that Swift's String calls equal.
        let value = try JSONReader.read("{\"\u{E9}\": 1, \"e\u{301}\": 2}")
        #expect(value.object?.count == 2)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test(arguments: [
        ("", "byte 0: expected a value, found the end of the text"),
        ("{\"a\":1,\"b\":2,\"a\":3}", "byte 13: the key 'a' appears twice in one object"),
        (#"{"a":1,"\u0061":3}"#, "byte 7: the key 'a' appears twice in one object"),
        ("{\"a\":1,}", "byte 7: expected a key in double quotes, found '}'"),
        ("[1,]", "byte 3: expected a value, found ']'"),
        ("[1 2]", "byte 3: expected ',' or ']', found '2'"),
        ("{\"a\" 1}", "byte 5: expected ':' after the key 'a', found '1'"),
        ("{a:1}", "byte 1: expected a key in double quotes, found 'a'"),
        ("{", "byte 1: expected a key in double quotes, found the end of the text"),
        ("[NaN]", "byte 1: expected a value, found 'N'"),
        ("[Infinity]", "byte 1: expected a value, found 'I'"),
        ("[nan]", "byte 1: expected 'null'"),
        ("tru", "byte 0: expected 'true'"),
        ("01", "byte 0: a number with a leading zero"),
        ("-01", "byte 0: a number with a leading zero"),
        ("+1", "byte 0: expected a value, found '+'"),
        ("1.", "byte 2: expected a digit, found the end of the text"),
        (".5", "byte 0: expected a value, found '.'"),
        ("1e+", "byte 3: expected a digit, found the end of the text"),
        ("-", "byte 1: expected a digit, found the end of the text"),
        ("1e400", "byte 0: the number is too large for a double"),
        ("0x10", "byte 1: expected the end of the text, found 'x'"),
        ("{} {}", "byte 3: expected the end of the text, found '{'"),
        ("1\0", "byte 1: expected the end of the text, found the byte 0x00"),
        ("\"abc", "byte 0: the string has no closing quote"),
        ("\"a\nb\"", "byte 2: a control character in a string must be escaped"),
        ("\"\\x\"", "byte 1: unknown escape"),
        ("\"\\u12g4\"", "byte 1: \\u needs four hexadecimal digits"),
        ("\"\\u12", "byte 1: \\u needs four hexadecimal digits"),
        ("\"\\", "byte 2: the text ends inside an escape"),
        (#""\ud800""#, "byte 1: the escape is half of a surrogate pair"),
        (#""\udc00""#, "byte 1: the escape is half of a surrogate pair"),
        (#""\ud800\n""#, "byte 1: the escape is half of a surrogate pair"),
        (#""\ud800\ud800""#, "byte 1: the escape is half of a surrogate pair"),
        ("'a'", "byte 0: expected a value, found '''"),
        ("/* */1", "byte 0: expected a value, found '/'"),
        ("\u{FEFF}{}", "byte 0: the text starts with a byte order mark; JSON must not have one"),
        ("\u{A0}{}", "byte 0: expected a value, found the byte 0xC2"),
    ])
    func refuses(text: String, message: String) { #expect(error(text) == message) }

    @Test(arguments: [
        [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x80, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x28, 0xA1], [0xF0, 0x90, 0x28, 0x80],
    ] as [[UInt8]])
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(error([0x22] + bytes + [0x22]) == "byte 1: invalid UTF-8")
        #expect(error([0x22] + bytes) == "byte 1: invalid UTF-8")
    }

    @Test func limits() {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(error(deep) == nil)
        #expect(error("[" + deep + "]") == "byte 64: nested deeper than 64")
        #expect(error(String(repeating: "{\"a\":", count: 1_000_000)) == "byte 320: nested deeper than 64")
        #expect(error(Array("[1,2,3]".utf8), limits: .init(values: 3)) == "byte 5: more than 3 values")
        #expect(error(Array(" 1".utf8), limits: .init(allowsOuterWhitespace: false)) == "byte 0: expected a value, found the byte 0x20")
        #expect(error(Array("1 ".utf8), limits: .init(allowsOuterWhitespace: false)) == "byte 1: expected the end of the text, found the byte 0x20")
    }

    /// No text may trap; what is accepted must survive writing and reading again.
    @Test func everyChangeOfAByteIsRefusedOrReadsBack() throws {
        let original = Array(#"{"é\n":[1,-2.5e3,"\ud83d\ude00",true,null],"b":{"c":""}}"#.utf8)
        for length in 0..<original.count { #expect(error(Array(original[..<length])) != nil) }
        for position in original.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = original
                changed[position] = byte
                guard let value = try? JSONReader.read(changed) else { continue }
                #expect(try JSONReader.read(value.serialized()) == value)
            }
        }
    }

    @Test func manyKeys() throws {
        let text = "{" + (0..<100_000).map { "\"key\($0)\":\($0)" }.joined(separator: ",") + "}"
        let value = try JSONReader.read(text)
        #expect(value.object?.count == 100_000)
        for number in stride(from: 0, to: 100_000, by: 777) { #expect(value["key\(number)"]?.int == number) }
        #expect(value["key100000"] == nil)
        #expect(error(text.dropLast() + ",\"key5\":1}")?.hasSuffix("the key 'key5' appears twice in one object") == true)
    }
}
