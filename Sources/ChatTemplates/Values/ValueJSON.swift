/// The filter `tojson` as transformers defines it: Python's json.dumps without escapes for HTML.
struct ValueJSON {
    let evaluator: TemplateEvaluator
    /// One level's white space; nil for everything on one line.
    var indentation: String?
    var itemSeparator = ", "
    var keySeparator = ": "
    var isASCII = false
    var sortsKeys = false
    private(set) var text = MarkedText()

    init(_ evaluator: TemplateEvaluator) { self.evaluator = evaluator }

    mutating func write(_ value: TemplateValue, depth: Int = 0) throws(ChatTemplateError) {
        try evaluator.step(count: 1)
        switch value {
        case .none: add("null")
        case .bool(let value): add(value ? "true" : "false")
        case .integer(let value): add(String(value))
        case .float(let value): add(value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : PythonText.float(value))
        case .text(let value): try write(value)
        case .list(let elements), .tuple(let elements):
            try writeList("[", "]", elements.count, depth) { writer, index throws(ChatTemplateError) in
                try writer.write(elements[index], depth: depth + 1)
            }
        case .dictionary(let members): try write(members, depth)
        default: throw evaluator.fault("\(value.kind) cannot be written as JSON")
        }
    }

    private mutating func write(_ members: TemplateDictionary, _ depth: Int) throws(ChatTemplateError) {
        var order = Array(members.keys.indices)
        if sortsKeys { order = try evaluator.sorted(order) { members.keys[$0] } }
        try writeList("{", "}", order.count, depth) { writer, index throws(ChatTemplateError) in
            let key = members.keys[order[index]]
            switch key {
            case .text(let text): try writer.write(text)
            case .none, .bool, .integer, .float:
                writer.add("\"")
                try writer.write(key)
                writer.add("\"")
            default: throw writer.evaluator.fault("\(key.kind) cannot be a key in JSON")
            }
            writer.add(writer.keySeparator)
            try writer.write(members.values[order[index]], depth: depth + 1)
        }
    }

    private mutating func writeList(
        _ open: String, _ close: String, _ count: Int, _ depth: Int, _ item: (inout ValueJSON, Int) throws(ChatTemplateError) -> Void
    ) throws(ChatTemplateError) {
        try evaluator.checkDepth(depth)
        add(open)
        for index in 0..<count {
            if index > 0 { add(itemSeparator) }
            try newLine(depth + 1)
            try item(&self, index)
        }
        if count > 0 { try newLine(depth) }
        add(close)
    }

    private mutating func newLine(_ depth: Int) throws(ChatTemplateError) {
        guard let indentation else { return }
        try evaluator.charge(bytes: depth * indentation.utf8.count)
        add("\n" + String(repeating: indentation, count: depth))
    }

    private mutating func write(_ value: MarkedText) throws(ChatTemplateError) {
        try evaluator.charge(bytes: 2 * value.count)
        add("\"")
        text.append(value.mapped { Self.escaped($0, isASCII: isASCII) })
        add("\"")
    }

    private static let short: [Unicode.Scalar: String] = [
        "\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u{8}": "\\b", "\u{C}": "\\f",
    ]

    private static func escaped(_ scalar: Unicode.Scalar, isASCII: Bool) -> String? {
        if let short = short[scalar] { return short }
        if scalar.value >= 0x20 && (scalar.value < 0x7F || !isASCII || scalar.value == 0x7F) { return nil }
        return String(Character(scalar)).utf16.map { "\\u" + PythonText.hexadecimal(UInt32($0), 4) }.joined()
    }

    private mutating func add(_ text: String) { self.text.append(text, isTrusted: true) }
}
