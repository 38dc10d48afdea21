/// Reads JSON strictly (RFC 8259, with duplicate keys refused). Works on the bytes; nothing is converted to `String`.
///
/// *Complexity*: linear in the text. Memory is at most `limits.values` values and their bytes.
package enum JSONReader {
    package struct Limits: Sendable {
        /// Arrays and objects inside each other; bounds the recursion.
        package var depth: Int
        /// Values in the whole text; bounds the memory that a small text full of empty arrays can ask for.
        package var values: Int
        /// Whether white space may stand before and after the value.
        package var allowsOuterWhitespace: Bool

        package init(depth: Int = 64, values: Int = 20_000_000, allowsOuterWhitespace: Bool = true) {
            self.depth = depth
            self.values = values
            self.allowsOuterWhitespace = allowsOuterWhitespace
        }
    }

    package static func read(_ text: UnsafeBufferPointer<UInt8>, limits: Limits = Limits()) throws(JSONError) -> JSONValue {
        var parser = JSONParser(input: text, limits: limits)
        return try parser.readDocument()
    }

    package static func read(_ text: [UInt8], limits: Limits = Limits()) throws(JSONError) -> JSONValue {
        try text.withUnsafeBufferPointer { buffer throws(JSONError) in try read(buffer, limits: limits) }
    }

    package static func read(_ text: String, limits: Limits = Limits()) throws(JSONError) -> JSONValue {
        try read(Array(text.utf8), limits: limits)
    }
}

/// The position in a text. Every read of `input` is behind a comparison with its count.
struct JSONParser {
    let input: UnsafeBufferPointer<UInt8>
    let limits: JSONReader.Limits
    var position = 0
    private var values = 0

    init(input: UnsafeBufferPointer<UInt8>, limits: JSONReader.Limits) {
        self.input = input
        self.limits = limits
    }

    mutating func readDocument() throws(JSONError) -> JSONValue {
        if input.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONError(offset: 0, message: "the text starts with a byte order mark; JSON must not have one")
        }
        if limits.allowsOuterWhitespace { skipWhitespace() }
        let value = try readValue(depth: 0)
        if limits.allowsOuterWhitespace { skipWhitespace() }
        if position < input.count { throw unexpected("the end of the text") }
        return value
    }

    private mutating func readValue(depth: Int) throws(JSONError) -> JSONValue {
        values += 1
        if values > limits.values { throw fail("more than \(limits.values) values") }
        guard let byte = peek() else { throw unexpected("a value") }
        switch byte {
        case UInt8(ascii: "{"): return .object(try readObject(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try readArray(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try readNumber()
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: throw unexpected("a value")
        }
    }

    private mutating func readObject(depth: Int) throws(JSONError) -> JSONObject {
        try enter(depth)
        var object = JSONObject()
        if take(UInt8(ascii: "}")) { return object }
        while true {
            guard peek() == UInt8(ascii: "\"") else { throw unexpected("a key in double quotes") }
            let keyOffset = position
            let key = try readString()
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("':' after the key \(key.quoted)") }
            skipWhitespace()
            let value = try readValue(depth: depth)
            guard object.append(key, value) else {
                throw JSONError(offset: keyOffset, message: "the key \(key.quoted) appears twice in one object")
            }
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return object }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or '}'") }
            skipWhitespace()
        }
    }

    private mutating func readArray(depth: Int) throws(JSONError) -> [JSONValue] {
        try enter(depth)
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try readValue(depth: depth))
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or ']'") }
            skipWhitespace()
        }
    }

    /// Steps over the opening bracket.
    private mutating func enter(_ depth: Int) throws(JSONError) {
        if depth > limits.depth { throw fail("nested deeper than \(limits.depth)") }
        position += 1
        skipWhitespace()
    }

    private mutating func readWord(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + word.utf8CodeUnitCount
        guard end <= input.count, word.withUTF8Buffer({ $0.elementsEqual(input[position..<end]) }) else {
            throw fail("expected '\(word)'")
        }
        position = end
        return value
    }

    // MARK: One byte at a time

    func peek() -> UInt8? { position < input.count ? input[position] : nil }

    mutating func take(_ byte: UInt8) -> Bool {
        guard position < input.count, input[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhitespace() {
        while position < input.count {
            switch input[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    func fail(_ message: String) -> JSONError { JSONError(offset: position, message: message) }

    func unexpected(_ expected: String) -> JSONError {
        guard let byte = peek() else { return fail("expected \(expected), found the end of the text") }
        if (0x21...0x7E).contains(byte) { return fail("expected \(expected), found '\(Character(UnicodeScalar(byte)))'") }
        let digits = String(byte, radix: 16, uppercase: true)
        return fail("expected \(expected), found the byte 0x\(digits.count < 2 ? "0" : "")\(digits)")
    }
}
