import StrictJSON

extension TemplateValue {
    /// The value as Python prints it. Every character keeps its mark.
    func shown(_ evaluator: TemplateEvaluator) throws(ChatTemplateError) -> MarkedText {
        switch self {
        case .undefined: return MarkedText()
        case .text(let text): return text
        default:
            var text = MarkedText()
            try show(into: &text, evaluator, depth: 0)
            return text
        }
    }

    private func show(into text: inout MarkedText, _ evaluator: TemplateEvaluator, depth: Int) throws(ChatTemplateError) {
        try evaluator.step(count: 1)
        switch self {
        case .undefined: text.append("Undefined", isTrusted: true)
        case .none: text.append("None", isTrusted: true)
        case .bool(let value): text.append(value ? "True" : "False", isTrusted: true)
        case .integer(let value): text.append(String(value), isTrusted: true)
        case .float(let value): text.append(PythonText.float(value), isTrusted: true)
        case .text(let part):
            try evaluator.charge(bytes: 4 * part.count)
            text.append(part.represented)
        case .list(let elements): try show(elements, "[", "]", into: &text, evaluator, depth: depth)
        case .tuple(let elements): try show(elements, "(", elements.count == 1 ? ",)" : ")", into: &text, evaluator, depth: depth)
        case .dictionary(let members):
            try evaluator.checkDepth(depth)
            text.append("{", isTrusted: true)
            for (index, key) in members.keys.enumerated() {
                if index > 0 { text.append(", ", isTrusted: true) }
                try key.show(into: &text, evaluator, depth: depth + 1)
                text.append(": ", isTrusted: true)
                try members.values[index].show(into: &text, evaluator, depth: depth + 1)
            }
            text.append("}", isTrusted: true)
        default: throw evaluator.fault("\(kind) cannot be printed")
        }
    }

    private func show(
        _ elements: [TemplateValue], _ open: String, _ close: String, into text: inout MarkedText, _ evaluator: TemplateEvaluator, depth: Int
    ) throws(ChatTemplateError) {
        try evaluator.checkDepth(depth)
        text.append(open, isTrusted: true)
        for (index, element) in elements.enumerated() {
            if index > 0 { text.append(", ", isTrusted: true) }
            try element.show(into: &text, evaluator, depth: depth + 1)
        }
        text.append(close, isTrusted: true)
    }
}

extension MarkedText {
    /// Character by character through a change; each new text has the mark of the old character.
    func mapped(_ change: (Unicode.Scalar) -> String?) -> MarkedText {
        var result = MarkedText()
        var (start, offset) = (0, 0)
        while offset < count {
            let (scalar, length) = PythonText.scalar(bytes, at: offset)
            if let new = change(scalar) {
                if start < offset { result.append(slice(start..<offset)) }
                result.append(new, isTrusted: isTrusted(at: offset))
                start = offset + length
            }
            offset += length
        }
        if start == 0 { return self }
        if start < count { result.append(slice(start..<count)) }
        return result
    }

    /// As a Python literal.
    var represented: MarkedText {
        let quote = bytes.contains(UInt8(ascii: "'")) && !bytes.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        let mark = MarkedText(quote, isTrusted: true)
        return mark + mapped { PythonText.escaped($0, quote: quote) } + mark
    }

    /// For messages.
    var quoted: String { JSONString.quoted(string) }
}

extension PythonText {
    /// nil where a character stands for itself in a literal.
    static func escaped(_ scalar: Unicode.Scalar, quote: String) -> String? {
        switch scalar {
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "'" where quote == "'": return "\\'"
        default: break
        }
        if scalar.value >= 0x20 && scalar.value < 0x7F { return nil }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
            let value = scalar.value
            return value < 0x100 ? "\\x" + hexadecimal(value, 2) : value < 0x10000 ? "\\u" + hexadecimal(value, 4) : "\\U" + hexadecimal(value, 8)
        default: return nil
        }
    }

    static func hexadecimal(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    /// repr() of a float: the shortest digits, with an exponent below -4 and from 16.
    static func float(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        // Swift's description has the same digits, in another notation.
        let parts = value.magnitude.description.split(separator: "e")
        let decimals = parts[0].split(separator: ".").map(String.init)
        var digits = decimals[0] + (decimals.count > 1 && decimals[1] != "0" ? decimals[1] : "")
        var point = decimals[0].utf8.count + (parts.count > 1 ? Int(parts[1])! : 0)
        while digits.utf8.first == UInt8(ascii: "0"), digits.utf8.count > 1 {
            digits.removeFirst()
            point -= 1
        }
        while digits.utf8.last == UInt8(ascii: "0"), digits.utf8.count > 1 { digits.removeLast() }
        let sign = value < 0 ? "-" : ""
        let exponent = point - 1
        if exponent < -4 || exponent >= 16 {
            let rest = digits.dropFirst()
            let shown = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
            return "\(sign)\(digits.first!)\(rest.isEmpty ? "" : ".\(rest)")e\(exponent < 0 ? "-" : "+")\(shown)"
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.utf8.count <= point { return sign + digits + String(repeating: "0", count: point - digits.utf8.count) + ".0" }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }
}
