/// Words inside of tags.
extension TemplateLexer {
    private static let symbols = ["//", "**", "==", "!=", ">=", "<="] + "+-/*%~[](){}><=.:|,".map(String.init)
    private static let closing: [String: String] = ["(": ")", "[": "]", "{": "}"]

    /// From behind the opening mark to behind the closing one.
    mutating func readTag(isExpression: Bool) throws(ChatTemplateError) {
        var open: [String] = []
        let mark = UInt8(ascii: isExpression ? "}" : "%")
        while position < source.count {
            // Within brackets '}}' closes dictionaries.
            if open.isEmpty, let end = tagEnd(at: position, mark, hasPlus: !isExpression, trimsLine: !isExpression) {
                emit(isExpression ? .expressionEnd : .statementEnd)
                return advance(to: end)
            }
            let space = spaceEnd(from: position, limit: source.count)
            if space > position {
                advance(to: space)
            } else {
                try readWord(&open)
            }
        }
    }

    private mutating func readWord(_ open: inout [String]) throws(ChatTemplateError) {
        let byte = source[position]
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): try readNumber()
        case UInt8(ascii: "\""), UInt8(ascii: "'"): try readText(quote: byte)
        case _ where Self.isNamePart(byte): readName()
        default: try readSymbol(&open)
        }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private mutating func readName() {
        let end = source[position...].firstIndex { !Self.isNamePart($0) } ?? source.count
        emit(.name(String(decoding: source[position..<end], as: UTF8.self)))
        advance(to: end)
    }

    private mutating func readSymbol(_ open: inout [String]) throws(ChatTemplateError) {
        guard let symbol = Self.symbols.first(where: { source[position...].starts(with: $0.utf8) }) else {
            let (scalar, _) = PythonText.scalar(source, at: position)
            throw malformed("the character \(MarkedText(String(Character(scalar)), isTrusted: true).quoted) has no meaning inside of a tag")
        }
        if let close = Self.closing[symbol] {
            open.append(close)
        } else if Self.closing.values.contains(symbol) {
            guard open.last == symbol else {
                throw malformed("found '\(symbol)'\(open.last.map { ", expected '\($0)'" } ?? " without an opening bracket")")
            }
            open.removeLast()
        }
        emit(.symbol(symbol))
        advance(to: position + symbol.utf8.count)
    }

    // MARK: Numbers

    private mutating func readNumber() throws(ChatTemplateError) {
        let follows = source[position] == UInt8(ascii: "0") && position + 1 < source.count ? source[position + 1] | 0x20 : 0
        if let radix = [UInt8(ascii: "x"): 16, UInt8(ascii: "o"): 8, UInt8(ascii: "b"): 2][follows] {
            return try readInteger(from: position + 2, radix: radix)
        }
        // After a '.', as in list.0.1, digits are an index.
        let isIndex = tokens.last?.kind == .symbol(".")
        var end = digitsEnd(position)
        var isFloat = false
        if !isIndex, end + 1 < source.count, source[end] == UInt8(ascii: "."), Self.isDigit(source[end + 1]) {
            end = digitsEnd(end + 1)
            isFloat = true
        }
        if !isIndex, end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
            let digits = end + (end + 1 < source.count && "+-".utf8.contains(source[end + 1]) ? 2 : 1)
            if digits < source.count, Self.isDigit(source[digits]) {
                end = digitsEnd(digits)
                isFloat = true
            }
        }
        guard isFloat else { return try readInteger(from: position, radix: 10) }
        let digits = String(decoding: source[position..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        guard let value = Double(digits) else { throw malformed("'\(digits.prefix(40))' is not a number") }
        emit(.float(value))
        advance(to: end)
    }

    private mutating func readInteger(from start: Int, radix: Int) throws(ChatTemplateError) {
        let end = source[start...].firstIndex { !Self.isNamePart($0) } ?? source.count
        let digits = String(decoding: source[start..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        let hasLeadingZero = radix == 10 && digits.utf8.count > 1 && digits.utf8.first == UInt8(ascii: "0")
        guard let value = Int(digits, radix: radix), !hasLeadingZero || value == 0 else {
            throw malformed("'\(String(decoding: source[position..<end].prefix(40), as: UTF8.self))' is not an integer of 64 bits")
        }
        emit(.integer(value))
        advance(to: end)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private func digitsEnd(_ start: Int) -> Int {
        source[start...].firstIndex { !Self.isDigit($0) && $0 != UInt8(ascii: "_") } ?? source.count
    }

    // MARK: Strings

    private mutating func readText(quote: UInt8) throws(ChatTemplateError) {
        var end = position + 1
        while end < source.count && source[end] != quote { end += source[end] == UInt8(ascii: "\\") ? 2 : 1 }
        guard end < source.count else { throw malformed("a string has no end, expected \(Character(Unicode.Scalar(quote)))") }
        var literal = TextLiteral(source[(position + 1)..<end])
        guard let bytes = literal.unescaped() else { throw malformed("a string: \(literal.problem)") }
        emit(.text(bytes))
        advance(to: end + 1)
    }
}
