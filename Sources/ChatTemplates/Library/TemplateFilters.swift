import Glibc

/// What can stand after `|`, by name.
enum TemplateFilters {
    static let table: [String: TemplateMethod] = text.merging(numbers) { first, _ in first }.merging(SequenceFilters.table) { first, _ in first }

    /// Any value as text.
    private static func onText(
        _ name: String, _ parameters: [String] = [], required: Int = 0,
        _ body: @escaping @Sendable (TemplateEvaluator, MarkedText, [TemplateValue?]) throws(ChatTemplateError) -> TemplateValue
    ) -> TemplateMethod {
        { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: parameters, required: required, of: name)
            let text = try value.shown(evaluator)
            try evaluator.charge(bytes: text.count)
            return try body(evaluator, text, bound)
        }
    }

    private static let text: [String: TemplateMethod] = [
        "trim": onText("trim", ["chars"]) { evaluator, text, bound throws(ChatTemplateError) in
            guard case .text(let chars)? = bound[0] else { return .text(text.trimmed()) }
            let dropped = Set(chars.string.unicodeScalars)
            return .text(text.trimmed(start: true, end: true) { dropped.contains($0) })
        },
        "string": onText("string") { _, text, _ throws(ChatTemplateError) in .text(text) },
        "safe": onText("safe") { _, text, _ throws(ChatTemplateError) in .text(text) },
        "upper": onText("upper") { evaluator, text, _ throws(ChatTemplateError) in try TextFilters.upper(evaluator, text) },
        "lower": onText("lower") { evaluator, text, _ throws(ChatTemplateError) in try TextFilters.lower(evaluator, text) },
        "capitalize": onText("capitalize") { _, text, _ throws(ChatTemplateError) in .text(PythonText.capitalized(text)) },
        "title": onText("title") { _, text, _ throws(ChatTemplateError) in .text(PythonText.words(text)) },
        "replace": onText("replace", ["old", "new", "count"], required: 2) { evaluator, text, bound throws(ChatTemplateError) in
            try TextFilters.replace(evaluator, text, old: bound[0]!, new: bound[1]!, limit: bound[2])
        },
        "indent": onText("indent", ["width", "first", "blank"]) { evaluator, text, bound throws(ChatTemplateError) in
            var indentation = MarkedText("    ", isTrusted: true)
            if case .text(let given)? = bound[0] {
                indentation = given
            } else if let width = bound[0] {
                let count = max(0, try evaluator.integer(width, for: "indent"))
                try evaluator.charge(bytes: count)
                indentation = MarkedText(String(repeating: " ", count: count), isTrusted: true)
            }
            return try TextFilters.indent(evaluator, text, by: indentation, first: bound[1]?.isTrue ?? false, blank: bound[2]?.isTrue ?? false)
        },
        "tojson": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["ensure_ascii", "indent", "separators", "sort_keys"], of: "tojson")
            var writer = ValueJSON(evaluator)
            writer.isASCII = bound[0]?.isTrue ?? false
            writer.sortsKeys = bound[3]?.isTrue ?? false
            if let number = bound[1]?.integer {
                writer.indentation = String(repeating: " ", count: min(max(number, 0), 64))
            } else if let text = bound[1]?.text {
                writer.indentation = text.string
            }
            if writer.indentation != nil { writer.itemSeparator = "," }
            if case .tuple(let pair)? = bound[2], pair.count == 2, let item = pair[0].text, let key = pair[1].text {
                (writer.itemSeparator, writer.keySeparator) = (item.string, key.string)
            }
            try writer.write(value)
            return try evaluator.text(writer.text)
        },
    ]

    private static let numbers: [String: TemplateMethod] = [
        "default": standard, "d": standard,
        "int": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["default"], of: "int")
            if let number = value.integer { return .integer(number) }
            if let number = value.number ?? value.text.flatMap({ Double($0.trimmed().string) }) {
                if let text = value.text, let exact = Int(text.trimmed().string) { return .integer(exact) }
                if let whole = Int(exactly: number.rounded(.towardZero)) { return .integer(whole) }
            }
            return bound[0] ?? .integer(0)
        },
        "float": { evaluator, value, arguments throws(ChatTemplateError) in
            let bound = try evaluator.bind(arguments, to: ["default"], of: "float")
            return (value.number ?? value.text.flatMap { Double($0.trimmed().string) }).map { .float($0) } ?? bound[0] ?? .float(0)
        },
        "abs": { evaluator, value, _ throws(ChatTemplateError) in
            guard let number = value.number else { throw evaluator.fault("'abs' needs a number, found \(value.kind)") }
            return number < 0 ? try evaluator.negative(value) : value.integer.map { .integer($0) } ?? value
        },
    ]

    private static let standard: TemplateMethod = { evaluator, value, arguments throws(ChatTemplateError) in
        let bound = try evaluator.bind(arguments, to: ["default_value", "boolean"], of: "default")
        let isMissing = value.isUndefined || (bound[1]?.isTrue ?? false) && !value.isTrue
        return isMissing ? bound[0] ?? .own("") : value
    }
}
