/// What can stand after `is`.
enum TemplateTests {
    static let table = Dictionary(
        others.map { ($0.key, $0.value) } + kinds.map { ($0.key, kindTest($0.key, $0.value)) } + relations.map { ($0.key, relationTest($0.key, $0.value)) },
        uniquingKeysWith: { first, _ in first })

    private static func kindTest(_ name: String, _ check: @escaping @Sendable (TemplateValue) -> Bool) -> TemplateMethod {
        { evaluator, value, arguments throws(ChatTemplateError) in
            _ = try evaluator.bind(arguments, to: [], of: name)
            return .bool(check(value))
        }
    }

    private static func relationTest(_ name: String, _ relation: Relation) -> TemplateMethod {
        { evaluator, value, arguments throws(ChatTemplateError) in
            .bool(try evaluator.holds(relation, value, try evaluator.bind(arguments, to: ["other"], required: 1, of: name)[0]!))
        }
    }

    private static let kinds: [String: @Sendable (TemplateValue) -> Bool] = [
        "defined": { !$0.isUndefined },
        "undefined": { $0.isUndefined },
        "none": { if case .none = $0 { true } else { false } },
        "boolean": { if case .bool = $0 { true } else { false } },
        "true": { if case .bool(true) = $0 { true } else { false } },
        "false": { if case .bool(false) = $0 { true } else { false } },
        "integer": { if case .integer = $0 { true } else { false } },
        "float": { if case .float = $0 { true } else { false } },
        "number": { $0.number != nil },
        "string": { $0.text != nil },
        "mapping": { if case .dictionary = $0 { true } else { false } },
        "sequence": { value in
            switch value {
            case .text, .list, .tuple, .dictionary, .undefined: true
            default: false
            }
        },
        "iterable": { value in
            switch value {
            case .text, .list, .tuple, .dictionary, .undefined, .stream, .loop: true
            default: false
            }
        },
        "callable": { value in
            switch value {
            case .macro, .function, .method: true
            default: false
            }
        },
        "lower": { $0.text.map { PythonText.isLower($0.string) } ?? false },
        "upper": { $0.text.map { PythonText.isUpper($0.string) } ?? false },
    ]

    private static let relations: [String: Relation] = [
        "eq": .equal, "equalto": .equal, "==": .equal, "ne": .unequal, "!=": .unequal, "lt": .less, "lessthan": .less, "<": .less,
        "le": .lessOrEqual, "<=": .lessOrEqual, "gt": .greater, "greaterthan": .greater, ">": .greater, "ge": .greaterOrEqual,
        ">=": .greaterOrEqual, "in": .contained,
    ]

    private static let others: [String: TemplateMethod] = [
        "even": { evaluator, value, _ throws(ChatTemplateError) in .bool(try evaluator.integer(value, for: "even") % 2 == 0) },
        "odd": { evaluator, value, _ throws(ChatTemplateError) in .bool(try evaluator.integer(value, for: "odd") % 2 != 0) },
        "divisibleby": { evaluator, value, arguments throws(ChatTemplateError) in
            let divisor = try evaluator.integer(try evaluator.bind(arguments, to: ["num"], required: 1, of: "divisibleby")[0]!, for: "divisibleby")
            let remainder = try evaluator.arithmetic(.remainder, value, .integer(divisor))
            return .bool(remainder.number == 0)
        },
        "sameas": { evaluator, value, arguments throws(ChatTemplateError) in
            let other = try evaluator.bind(arguments, to: ["other"], required: 1, of: "sameas")[0]!
            switch (value, other) {
            case (.bool(let first), .bool(let second)): return .bool(first == second)
            case (.bool, _), (_, .bool): return .bool(false)
            default: return .bool(try evaluator.areEqual(value, other))
            }
        },
    ]
}
