import StrictJSON
import Testing

@Suite struct JSONWriterTests {
    @Test func compactText() {
        var object: JSONObject = ["z": 1, "a": [true, nil, "x"], "empty": [:], "none": []]
        object.set("count", JSONValue(UInt64.max))
        object.set("z", 2)
        #expect(JSONValue(object).text() == #"{"z":2,"a":[true,null,"x"],"empty":{},"none":[],"count":18446744073709551615}"#)
    }

    @Test func prettyText() {
        let value: JSONValue = ["a": [1, 2], "b": ["c": "d"], "e": []]
        #expect(value.text(pretty: true) == """
            {
              "a": [
                1,
                2
              ],
              "b": {
                "c": "d"
              },
              "e": []
            }
            """)
    }

    @Test func doublesAreShortestAndReadBack() throws {
        for (value, text) in [
            (0.1, "0.1"), (1e-5, "1e-05"), (1e300, "1e+300"), (-0.0, "-0.0"), (.leastNonzeroMagnitude, "5e-324"), (2, "2.0"), (.nan, "null"),
            (.infinity, "null"), (-.infinity, "null"),
        ] as [(Double, String)] {
            #expect(JSONValue(value).text() == text)
            if value.isFinite { #expect(try JSONReader.read(text).double == value) }
        }
    }

    @Test func escapes() throws {
        let all = String(String.UnicodeScalarView((0..<0x300).map { UnicodeScalar($0)! })) + "\u{2028}😀"
        let written = JSONValue(all).serialized()
        #expect(written.allSatisfy { $0 >= 0x20 })
        #expect(try JSONReader.read(written).jsonString == JSONString(all))
        #expect(JSONValue("\"\\\u{1}\n/").text() == #""\"\\\u0001\n/""#)
    }

    @Test func quotedNamesCannotSteerTheTerminal() {
        #expect(JSONString("a\u{1B}[2J\u{202E}b").quoted == "'a\\u{1b}[2J\\u{202e}b'")
        #expect(JSONString(String(repeating: "x", count: 200)).quoted == "'" + String(repeating: "x", count: 120) + "…'")
    }
}
