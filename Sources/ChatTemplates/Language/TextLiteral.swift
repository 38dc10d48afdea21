/// The inside of a string literal, with Python's escapes.
struct TextLiteral {
    private let source: [UInt8]
    private var position = 0
    /// Why there is no text.
    private(set) var problem = ""

    init(_ source: some Collection<UInt8>) { self.source = Array(source) }

    private static let single: [UInt8: UInt8] = [
        UInt8(ascii: "n"): 0x0A, UInt8(ascii: "t"): 0x09, UInt8(ascii: "r"): 0x0D, UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08,
        UInt8(ascii: "f"): 0x0C, UInt8(ascii: "v"): 0x0B, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "'"): 0x27, UInt8(ascii: "\""): 0x22,
    ]
    private static let hexadecimal: [UInt8: Int] = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8]

    /// Nil when an escape has no meaning.
    mutating func unescaped() -> [UInt8]? {
        var result: [UInt8] = []
        while position < source.count {
            let byte = source[position]
            position += 1
            guard byte == UInt8(ascii: "\\"), position < source.count else {
                result.append(byte)
                continue
            }
            let escape = source[position]
            position += 1
            if let plain = Self.single[escape] {
                result.append(plain)
            } else if let digits = Self.hexadecimal[escape] {
                guard let scalar = number(digits: digits, radix: 16, exact: true) else { return nil }
                result += String(Character(scalar)).utf8
            } else if (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(escape) {
                position -= 1
                guard let scalar = number(digits: 3, radix: 8, exact: false) else { return nil }
                result += String(Character(scalar)).utf8
            } else if escape == UInt8(ascii: "N") {
                problem = "characters by name (\\N) are not supported"
                return nil
            } else if escape != 0x0A {
                // Python keeps what it does not know.
                result += [UInt8(ascii: "\\"), escape]
            }
        }
        return result
    }

    private mutating func number(digits: Int, radix: Int, exact: Bool) -> Unicode.Scalar? {
        var value: UInt32 = 0
        var count = 0
        while count < digits, position < source.count, let digit = Character(Unicode.Scalar(source[position])).hexDigitValue, digit < radix {
            value = value << (radix == 16 ? 4 : 3) | UInt32(digit)
            position += 1
            count += 1
        }
        guard count == digits || !exact else {
            problem = "an escape has \(count) digits, expected \(digits)"
            return nil
        }
        guard let scalar = Unicode.Scalar(value) else {
            problem = "an escape names the number \(value), which is no character"
            return nil
        }
        return scalar
    }
}
