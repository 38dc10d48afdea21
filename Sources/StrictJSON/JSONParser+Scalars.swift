/// Strings and numbers.
extension JSONParser {
    /// From the opening quote to behind the closing one.
    mutating func readString() throws(JSONError) -> JSONString {
        let opening = position
        var runStart = position + 1
        position = runStart
        // Stays empty, without allocation, as long as no escape is met.
        var collected: [UInt8] = []
        while position < input.count {
            let byte = input[position]
            if byte == UInt8(ascii: "\"") {
                let run = UnsafeBufferPointer(rebasing: input[runStart..<position])
                position += 1
                if collected.isEmpty { return JSONString(validated: Array(run)) }
                collected.append(contentsOf: run)
                return JSONString(validated: collected)
            } else if byte == UInt8(ascii: "\\") {
                collected.append(contentsOf: UnsafeBufferPointer(rebasing: input[runStart..<position]))
                try readEscape(into: &collected)
                runStart = position
            } else if byte < 0x20 {
                throw fail("a control character in a string must be escaped")
            } else if byte < 0x80 {
                position += 1
            } else {
                position += try lengthOfScalar()
            }
        }
        throw JSONError(offset: opening, message: "the string has no closing quote")
    }

    /// Bytes of the multi-byte UTF-8 sequence here (Unicode, table 3-7: no overlong forms, no surrogates).
    private func lengthOfScalar() throws(JSONError) -> Int {
        let first = input[position]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw fail("invalid UTF-8")
        }
        guard position + length <= input.count, second.contains(input[position + 1]),
            input[(position + 2)..<(position + max(length, 2))].allSatisfy({ (0x80...0xBF).contains($0) })
        else { throw fail("invalid UTF-8") }
        return length
    }

    private mutating func readEscape(into bytes: inout [UInt8]) throws(JSONError) {
        let start = position
        position += 1
        guard let kind = peek() else { throw fail("the text ends inside an escape") }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(kind)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var value = try readFourHexDigits(escapeStart: start)
            if (0xD800...0xDBFF).contains(value), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
                let low = try readFourHexDigits(escapeStart: start)
                if (0xDC00...0xDFFF).contains(low) { value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00) }
            }
            guard let scalar = UnicodeScalar(value) else {
                throw JSONError(offset: start, message: "the escape is half of a surrogate pair")
            }
            bytes.append(contentsOf: UTF8.encode(scalar)!)
        default: throw JSONError(offset: start, message: "unknown escape")
        }
    }

    private mutating func readFourHexDigits(escapeStart: Int) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw JSONError(offset: escapeStart, message: "\\u needs four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    mutating func readNumber() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        guard let first = peek(), isDigit(first) else { throw unexpected("a digit") }
        var magnitude: UInt64 = 0
        var isInteger = true
        if first == UInt8(ascii: "0") {
            position += 1
            if let next = peek(), isDigit(next) { throw JSONError(offset: start, message: "a number with a leading zero") }
        } else {
            while let byte = peek(), isDigit(byte) {
                let (shifted, overflow) = magnitude.multipliedReportingOverflow(by: 10)
                let (sum, carry) = shifted.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
                magnitude = sum
                if overflow || carry { isInteger = false }
                position += 1
            }
        }
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try skipDigits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
            try skipDigits()
        }
        if isInteger {
            if !isNegative { return magnitude <= UInt64(Int64.max) ? .integer(Int64(magnitude)) : .unsigned(magnitude) }
            // "-0" has a sign that an integer cannot keep.
            if magnitude > 0 && magnitude <= UInt64(Int64.max) + 1 { return .integer(Int64(truncatingIfNeeded: 0 &- magnitude)) }
        }
        let text = UnsafeBufferPointer(rebasing: input[start..<position])
        guard let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else {
            throw JSONError(offset: start, message: "the number is too large for a double")
        }
        return .number(JSONNumber(value: value, text: Array(text)))
    }

    private mutating func skipDigits() throws(JSONError) {
        guard let first = peek(), isDigit(first) else { throw unexpected("a digit") }
        while let byte = peek(), isDigit(byte) { position += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}
